/** Token for token beside the tokenizers that set the vocabularies: gpt-tokenizer always, tiktoken and tokenizers on request. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { realText } from "../../bench/real-text.ts";
import {
  type BytePairTokenizer,
  type PatternName,
  parseTiktoken,
  parseTokenizerJson,
  prepareTokenizerKernels,
  trainBytePairEncoding,
  trainWordPiece,
} from "../../src/tokenizer/index.ts";

await prepareTokenizerKernels();

const vocabularies = {
  r50k_base: { pattern: "gpt2", special: {} },
  cl100k_base: { pattern: "cl100k", special: { "<|endoftext|>": 100257 } },
  o200k_base: { pattern: "o200k", special: { "<|endoftext|>": 199999 } },
} as const satisfies Record<string, { pattern: PatternName; special: Record<string, number> }>;

type Name = keyof typeof vocabularies;
const ranksOf = (name: Name) => join("node_modules/gpt-tokenizer/data", `${name}.tiktoken`);

function load(name: Name): BytePairTokenizer {
  const { pattern, special } = vocabularies[name];
  return parseTiktoken(readFileSync(ranksOf(name), "utf8"), pattern, new Map(Object.entries(special)));
}

describe.each(Object.keys(vocabularies) as Name[])("the published vocabulary %s", (name) => {
  it("encodes 2 MB of real text as gpt-tokenizer does", { timeout: 120_000 }, async () => {
    const tokenizer = load(name);
    const peer = (await import(`gpt-tokenizer/encoding/${name}`)) as {
      encode(text: string, options: object): number[];
    };
    for (const text of realText(2e6)) {
      const expected = peer.encode(text, { disallowedSpecial: new Set<string>() });
      expect([...tokenizer.encode(text)]).toEqual(expected);
    }
  });
});

it("has the published vectors", () => {
  expect([...load("r50k_base").encode("hello world")]).toEqual([31373, 995]);
  const cl100k = load("cl100k_base");
  expect([...cl100k.encode("hello world")]).toEqual([15339, 1917]);
  expect([...cl100k.encode("'rer")]).toEqual([2351, 81]);
  expect([...cl100k.encode("today\n \n")]).toEqual([31213, 27907]);
  expect([...cl100k.encode("today\n  \n")]).toEqual([31213, 14211]);
});

const python = process.env.TILTH_PYTHON;
/** Bytes of real text; the whole proof takes 50 MB. */
const bytes = Number(process.env.TILTH_PEER_BYTES ?? 5e6);

function ask(script: string, parameters: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync(python!, ["-c", script, ...parameters], {
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** Documents whose ids differ, as the peer sees it: ids come as JSON lines beside the texts. */
const compare = `
import json, sys, base64
kind, texts, ids, source = sys.argv[1:5]
if kind == "tiktoken":
    import tiktoken
    from tiktoken_ext import openai_public
    import tiktoken.load
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in open(source, "rb").read().splitlines() if line)}
    patterns = {"r50k_base": openai_public.r50k_pat_str, "cl100k_base": None, "o200k_base": None}
    import inspect, re
    name = sys.argv[5]
    openai_public.load_tiktoken_bpe = lambda *a, **k: ranks
    openai_public.data_gym_to_mergeable_bpe_ranks = lambda *a, **k: ranks
    pattern = getattr(openai_public, name)()["pat_str"]
    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    encode = encoding.encode_ordinary
else:
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(source)
    tokenizer.encode_special_tokens = True
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
total, different, tokens = 0, [], 0
for text, expected in zip(open(texts, encoding="utf-8"), open(ids)):
    text, expected = json.loads(text), json.loads(expected)
    total += len(text.encode("utf-8")); tokens += len(expected)
    if encode(text) != expected: different.append(text[:200])
print(json.dumps({"bytes": total, "tokens": tokens, "different": len(different), "examples": different[:3]}))
`;

describe.skipIf(python === undefined)("beside the peers in Python (skipped: TILTH_PYTHON names none)", () => {
  const folder = () => mkdtempSync(join(tmpdir(), "tilth-peers-"));

  it.each([
    ...(["r50k_base", "cl100k_base", "o200k_base"] as const).map((name) => ["tiktoken", name] as const),
    ...(["r50k_base", "cl100k_base", "o200k_base"] as const).map((name) => ["tokenizers", name] as const),
  ])("%s encodes real text in many scripts with %s as we do", { timeout: 1_800_000 }, (kind, name) => {
    const place = folder();
    try {
      const documents = realText(bytes).map((text) => text.normalize("NFC"));
      const tokenizer = load(name);
      const file = (file: string, lines: Iterable<string>) => {
        writeFileSync(join(place, file), [...lines].map((line) => `${line}\n`).join(""));
        return join(place, file);
      };
      const texts = file(
        "texts",
        documents.map((text) => JSON.stringify(text)),
      );
      const ids = file(
        "ids",
        tokenizer.encodeBatch(documents).map((list) => JSON.stringify([...list])),
      );
      const json = file("tokenizer.json", [tokenizer.toJson()]);
      const result = ask(compare, [kind, texts, ids, kind === "tiktoken" ? ranksOf(name) : json, name]);
      console.log(kind, name, JSON.stringify(result));
      expect(result).toMatchObject({ different: 0 });
      const again = parseTokenizerJson(tokenizer.toJson());
      expect(again.encodeBatch(documents.slice(0, 50))).toEqual(tokenizer.encodeBatch(documents.slice(0, 50)));
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });

  it.each(["gpt2", "cl100k"] as const)(
    "tokenizers encodes with a vocabulary that we trained with the pattern %s as we do",
    {
      timeout: 1_800_000,
    },
    async (pattern) => {
      const place = folder();
      try {
        const documents = realText(bytes).map((text) => text.normalize("NFC"));
        const training = { vocabularySize: 16_384, pattern, specialTokens: ["<|endoftext|>"] };
        const tokenizer = await trainBytePairEncoding(documents.slice(0, documents.length >> 2), training);
        writeFileSync(join(place, "tokenizer.json"), tokenizer.toJson());
        writeFileSync(join(place, "texts"), documents.map((text) => `${JSON.stringify(text)}\n`).join(""));
        const ids = tokenizer.encodeBatch(documents).map((list) => `${JSON.stringify([...list])}\n`);
        writeFileSync(join(place, "ids"), ids.join(""));
        const result = ask(compare, [
          "tokenizers",
          join(place, "texts"),
          join(place, "ids"),
          join(place, "tokenizer.json"),
        ]);
        console.log("trained", pattern, JSON.stringify(result));
        expect(result).toMatchObject({ different: 0 });
      } finally {
        rmSync(place, { recursive: true, force: true });
      }
    },
  );

  it("tokenizers reads our WordPiece and encodes as we do; its trainer gives nearly the same vocabulary", {
    timeout: 600_000,
  }, async () => {
    const place = folder();
    try {
      const documents = realText(Math.min(bytes, 3e6));
      const tokenizer = await trainWordPiece(documents, { vocabularySize: 4000 });
      writeFileSync(join(place, "tokenizer.json"), tokenizer.toJson());
      writeFileSync(join(place, "texts"), documents.map((text) => `${JSON.stringify(text)}\n`).join(""));
      writeFileSync(
        join(place, "ids"),
        documents.map((text) => `${JSON.stringify([...tokenizer.encode(text)])}\n`).join(""),
      );
      const result = ask(compare, [
        "tokenizers",
        join(place, "texts"),
        join(place, "ids"),
        join(place, "tokenizer.json"),
      ]);
      console.log("WordPiece", JSON.stringify(result));
      expect(result).toMatchObject({ different: 0 });
      const theirs = ask(
        `
import json, sys, tokenizers
from tokenizers import Tokenizer, models, trainers
given = Tokenizer.from_file(sys.argv[1])
fresh = Tokenizer(models.WordPiece(unk_token="[UNK]"))
fresh.normalizer, fresh.pre_tokenizer = given.normalizer, given.pre_tokenizer
trainer = trainers.WordPieceTrainer(vocab_size=4000, min_frequency=2, limit_alphabet=1000, show_progress=False,
    special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
fresh.train_from_iterator([json.loads(line) for line in open(sys.argv[2], encoding="utf-8")], trainer)
print(json.dumps(fresh.get_vocab()))
`,
        [join(place, "tokenizer.json"), join(place, "texts")],
      ) as Record<string, number>;
      const shared = tokenizer.definition.tokens.filter((token) => Object.hasOwn(theirs, token)).length;
      console.log("WordPiece vocabulary shared", shared / tokenizer.vocabularySize);
      expect(shared / tokenizer.vocabularySize).toBeGreaterThan(0.99);
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });
});
