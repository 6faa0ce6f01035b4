"""Tokenizers of the families that Tilth leaves to a library, with ids that Hugging Face's tokenizers gives: fixtures/library.json.

    python test/tokenizer/generate.py

Versions: tokenizers 0.23.3, Python 3.11. Texts and training data are written here; nothing is read from elsewhere.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers, __version__

SENTENCES = [
    "The old harbour lay quiet while fishing boats returned with the morning tide.",
    "A parser reads the text from left to right and builds a tree of its parts.",
    "Every reader of the report asked for the numbers behind the numbers, and received them.",
    "Der Übersetzer liest den Text von links nach rechts und baut daraus einen Baum.",
    "L'analyseur lit le texte de gauche à droite et construit un arbre.",
    "Анализатор читает текст слева направо и строит дерево.",
    "解析器从左到右读取文本并构建一棵树。",
    "パーサーはテキストを左から右へ読み取ります。",
    "for (let index = 0; index < length; index++) { total += values[index] * 2; }",
    "In 2024, 1,234 of 5,678 measurements (21.7 %) were repeated; 99.9 % agreed.",
]
TRAINING = [" ".join(SENTENCES[(start + step) % len(SENTENCES)] for step in (0, 3, 7)) for start in range(60)]
TEXTS = [
    *SENTENCES,
    "",
    " ",
    "  two  spaces  and a trailing one ",
    "line\nbreaks\r\nand\ttabs",
    "unknown: 😀 ⚙ ٣ ꙮ, ligature ﬁ, fullwidth ＡＢＣ, combining e\u0301, no-break\u00a0space",
    "antidisestablishmentarianism" * 3,
    "▁ the mark itself",
]
SPECIAL = ["<unk>", "<s>", "</s>"]


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(" {2,}", " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(TRAINING, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    return tokenizer


def byte_fallback():
    """Llama 2's kind: BPE over characters, unknown ones as bytes, spaces as marks."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    special = SPECIAL + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TRAINING, trainer)
    content = json.loads(tokenizer.to_str())
    # Bytes are tokens of the model alone, as in the published files.
    content["added_tokens"] = [one for one in content["added_tokens"] if one["content"] in SPECIAL]
    return Tokenizer.from_str(json.dumps(content))


def main():
    cases = {}
    for name, tokenizer in {"unigram": unigram(), "byte-fallback": byte_fallback()}.items():
        encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        cases[name] = {
            "tokenizer": json.loads(tokenizer.to_str()),
            "texts": [
                {"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)}
                for text, ids in zip(TEXTS, encoded)
            ],
        }
    target = Path(__file__).parent / "fixtures" / "library.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"tokenizers": __version__, "cases": cases}, ensure_ascii=False) + "\n", encoding="utf-8")
    print(target.stat().st_size, "bytes", {name: len(one["texts"]) for name, one in cases.items()})


main()
