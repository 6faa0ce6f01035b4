"""Words and decisions of datatrove's filters about real documents: test/corpus/fixtures/datatrove.json.gz.

    python test/golden/datatrove_filters.py <folder of PEPs> node_modules

Versions: datatrove 0.10.1, spacy 3.8.18 (its English tokenizer splits the words), Python 3.11. Excerpts of PEPs (python/peps, public
domain or CC0-1.0) are stored with their text; documentation of installed packages by path and hash, read where it lies.
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_sentences, split_into_words

FILTERS = {
    "gopher-quality": GopherQualityFilter(),
    "gopher-repetition": GopherRepetitionFilter(),
    "fineweb": FineWebQualityFilter(),
    "c4": C4QualityFilter(filter_no_terminal_punct=True),
}
EXCERPT = 2500
# What real text has too rarely: marks of other scripts, contractions, faces, addresses, units, white space.
HARD = [
    "I can't believe you're gonna say we'd've gone, y'all! Let's c'mon, o'clock 'cause ma'am isn't ain't. Don’t she’ll it’s",
    "e.g. this, i.e. that, etc. at 5a.m. or 11p.m. on Jan. 3 in N.Y. by Dr. No vs. Mr. X Ph.D. (U.S.A.) No.5 and/or w/o C++",
    ":) :-( ;-) XD ^_^ (╯°□°）╯︵┻━┻ ¯\\_(ツ)_/¯ <3 </3 word:) (:word >:( 8-) :'( o.O -_- ...:) :)))",
    "https://example.org/a?b=c#d, http://user:pass@example.com:8080/x/(y) www.example.co.uk. mail a.b+c@d.example; 10.1.2.3 8.8.8.8/x ftp://x",
    "5km 10kg/m3 3.5GB 20% 20°C. $5.00 US$3 £4-£5 100m² 7km/h +3 -4 3+4 5*6 2^8 1-2 a+b x=y k:v a/b c<d 9:30 1,000.5",
    "foo.bar Foo.Bar end.Start U.S.A. ABC. a.b.c... wait…what ..... --- -- well-known state-of-the-art mother-in-law's",
    "«Bonjour», dit-il. „Hallo“ – sagte er — ‘so’ “this” ‹that› ¿Qué? ¡No! 。「日本語」です。中文，文本！ हिन्दी। عربي، نص؟",
    "Ελληνικά κείμενο. Русский текст, ещё. Українська ҐҐ Қазақ emoji 😀👍🏽 👨‍👩‍👧 flags 🇩🇪🇫🇷 math 𝐀𝐁 ½ ² № ™",
    "__init__ _x_ *bold* **bold** `code` #tag @user {a} [b] (c) <d> \"q\" 'q' and ''q'' ``q`` a_b_c a__b 'tis 'twas '90s",
    "tabs\tand\n\nlines  two   three\u00a0nbsp \u2003em \ufeffbom a\u200bzero\u00adsoft\u3000wide",
    "Really?! Yes!!! (No.) \"Quoted.\" 'So.' Then... and… done. Next.Line 3. 4) Fifth.\" Sixth.) end",
]


def decide(text):
    """The reason of each filter that rejects the text; datatrove's filters may change a document, so each has its own."""
    reasons = {}
    for name, one in FILTERS.items():
        try:
            result = one.filter(Document(text=text, id="0"))
        except ZeroDivisionError:
            result = (False, "division by zero")
        if result is not True:
            reasons[name] = result[1] if isinstance(result, tuple) else "rejected"
    return reasons


def words(text):
    """The number of words and a hash of them."""
    found = split_into_words(text)
    return [len(found), hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]]


def normal(text):
    """Lines as the corpus has them after its normal form: no spaces at their ends, at most two blank ones in a row."""
    text = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\t", "    ").split("\n"))
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text.strip("\n")


def main(peps, modules):
    excerpts = []
    for index, file in enumerate(sorted(Path(peps).glob("*.rst"))[::2]):
        text = file.read_text("utf-8")
        start = (index * 1777) % max(1, len(text) - EXCERPT)
        excerpt = normal(text[start : start + EXCERPT])
        excerpts.append({"path": file.name, "text": excerpt, "reasons": decide(excerpt), "words": words(excerpt)})
    packages = []
    for file in sorted(Path(modules).glob("**/*.md")):
        raw = file.read_bytes()
        if not 200 <= len(raw) <= 60_000 or b"\r" in raw or not raw.isascii():
            continue
        text = normal(raw.decode("utf-8"))
        packages.append(
            {
                "path": str(file.relative_to(modules)),
                "sha256": hashlib.sha256(raw).hexdigest(),
                "reasons": decide(text),
                "words": words(text),
            }
        )
    hard = [{"text": text, "words": split_into_words(text), "sentences": len(split_into_sentences(text))} for text in HARD]
    target = Path(__file__).parent.parent / "corpus" / "fixtures" / "datatrove.json.gz"
    content = json.dumps({"hard": hard, "excerpts": excerpts, "packages": packages[:300]}).encode()
    target.write_bytes(gzip.compress(content, mtime=0))
    print(len(excerpts), "excerpts,", len(packages[:300]), "package documents,", target.stat().st_size, "bytes")


main(*sys.argv[1:3])
