"""Decisions of datatrove's filters about real documents: test/corpus/fixtures/datatrove.json.gz.

    python test/golden/datatrove_filters.py <folder of PEPs> node_modules

Versions: datatrove 0.10.1, spacy 3.8 (its English tokenizer splits the words), Python 3.11. Excerpts of PEPs (python/peps, public
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

FILTERS = {
    "gopher-quality": GopherQualityFilter(),
    "gopher-repetition": GopherRepetitionFilter(),
    "fineweb": FineWebQualityFilter(),
    "c4": C4QualityFilter(filter_no_terminal_punct=True),
}
EXCERPT = 2500


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


def normal(text):
    """Lines as the corpus has them after its normal form: no spaces at their ends, at most two blank ones in a row."""
    text = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\t", "    ").split("\n"))
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text.strip("\n")


def main(peps, modules):
    excerpts = []
    for index, file in enumerate(sorted(Path(peps).glob("*.rst"))[::3]):
        text = file.read_text("utf-8")
        start = (index * 1777) % max(1, len(text) - EXCERPT)
        excerpt = normal(text[start : start + EXCERPT])
        excerpts.append({"path": file.name, "text": excerpt, "reasons": decide(excerpt)})
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
            }
        )
    target = Path(__file__).parent.parent / "corpus" / "fixtures" / "datatrove.json.gz"
    content = json.dumps({"excerpts": excerpts, "packages": packages[:300]}).encode()
    target.write_bytes(gzip.compress(content, mtime=0))
    print(len(excerpts), "excerpts,", len(packages[:300]), "package documents,", target.stat().st_size, "bytes")


main(*sys.argv[1:3])
