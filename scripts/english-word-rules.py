"""The rules by which datatrove finds words, sentences and marks in English: src/corpus/filters/datatrove/english-rules.json.

    python scripts/english-word-rules.py

Versions: spacy 3.8.18 (MIT licence, (c) ExplosionAI GmbH, spaCy GmbH and contributors), datatrove 0.10.1 (Apache-2.0, (c) Hugging
Face). Patterns are rewritten for JavaScript's flag `u`; `\\d`, `\\w` and `\\S` get the meaning that they have in Python.
"""

import json
import re
from pathlib import Path

import spacy
from datatrove.utils.text import PUNCTUATION, TERMINAL_PUNCTUATION
from spacy.pipeline.sentencizer import Sentencizer
from spacy.symbols import ORTH

CLASSES = {"d": r"\p{Nd}", "w": r"\p{L}\p{N}_", "S": r"[^]"}


BEYOND_ASCII = re.compile(r"(?:\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|[^\x00-\x7f])(?:-(?:\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|[^\x00-\x7f]))?")


def for_ascii(pattern):
    """The same pattern for texts in ASCII: what no such text has is left out of brackets, and matches nothing elsewhere."""
    parts = re.split(r"((?<!\\)\[(?:\\.|[^\]])*\])", pattern)
    return "".join(BEYOND_ASCII.sub("" if index % 2 else "[]", part) for index, part in enumerate(parts))


def for_javascript(pattern):
    """The same pattern with JavaScript's flag `u`, which permits escapes of syntax characters alone."""
    pattern = pattern.removeprefix("(?u)")
    result, inside, at = [], False, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            following = pattern[at + 1]
            if following == "U":
                result.append("\\u{" + pattern[at + 2 : at + 10].lstrip("0") + "}")
                at += 10
                continue
            if following == "u":
                result.append(pattern[at : at + 6])
                at += 6
                continue
            if following in CLASSES:
                named = CLASSES[following]
                assert inside or following != "w", "a class outside of brackets"
                result.append(named)
            elif following in "^$\\.*+?()[]{}|/" or (following == "-" and inside):
                result.append("\\" + following)
            else:
                assert following in "'!-\"", f"an escape that is not known: {following}"
                result.append(following)
            at += 2
            continue
        if inside and char == "]":
            inside = False
        elif not inside and pattern.startswith("[]", at):
            result.append("[]")
            at += 2
            continue
        elif not inside and char == "[":
            inside = True
        elif inside and char == "[":
            char = "\\["
        result.append(char)
        at += 1
    return "".join(result)


def main():
    tokenizer = spacy.blank("en").tokenizer
    assert tokenizer.token_match is None and tokenizer.faster_heuristics
    search = {
        "prefix": tokenizer.prefix_search,
        "suffix": tokenizer.suffix_search,
        "infix": tokenizer.infix_finditer,
        "address": tokenizer.url_match,
    }
    rules = {
        "source": f"spaCy {spacy.__version__}, English (MIT); datatrove 0.10.1 (Apache-2.0). Made by scripts/english-word-rules.py",
        "patterns": {name: for_javascript(one.__self__.pattern) for name, one in search.items()},
        "asciiPatterns": {name: for_javascript(for_ascii(one.__self__.pattern)) for name, one in search.items()},
        "exceptions": {text: [piece[ORTH] for piece in pieces] for text, pieces in tokenizer.rules.items()},
        "sentenceMarks": Sentencizer.default_punct_chars,
        "marks": sorted(set(PUNCTUATION) | TERMINAL_PUNCTUATION),
        "terminalMarks": sorted(TERMINAL_PUNCTUATION),
    }
    target = Path(__file__).parent.parent / "src/corpus/filters/datatrove/english-rules.json"
    target.write_text(json.dumps(rules, ensure_ascii=True, indent=1) + "\n", encoding="ascii")
    print(len(rules["exceptions"]), "exceptions,", target.stat().st_size, "bytes")


main()
