import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { text as textOfStream } from "node:stream/consumers";
import { openDocumentStore } from "../corpus/index.ts";
import { UsageError, writeFileAtomically } from "../foundation/index.ts";
import { writeRecord } from "../lineage/index.ts";
import {
  BytePairTokenizer,
  extendTokenizer,
  patternNames,
  prepareTokenizerKernels,
  readTokenizerJson,
  type Tokenizer,
  trainTokenizer,
} from "../tokenizer/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { requireReplaceable } from "./questions.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

/** `tilth tokenizer train|encode|inspect` */
export const tokenizer: Command = {
  summary: "train byte-level BPE or WordPiece, extend one, encode text with a tokenizer, look into one",
  usage:
    "train --corpus <folder>  |  extend <tokenizer> --corpus <folder> --add <tokens>  |  encode <tokenizer> [file]  |  inspect <tokenizer>",
  options: {
    corpus: {
      describe: "train, extend: folder of the document store whose training part is read",
      placeholder: "folder",
    },
    vocabulary: { describe: "train: tokens wanted", placeholder: "count", initial: "8192" },
    model: { describe: "train: bpe (byte-level), or wordpiece (BERT's)", placeholder: "name", initial: "bpe" },
    pattern: {
      describe: `train: how text is cut before merging: ${patternNames.join(", ")}`,
      placeholder: "name",
      initial: "gpt2",
    },
    add: { describe: "extend: tokens wanted beyond the tokenizer's", placeholder: "count", initial: "1024" },
    cased: { describe: "train, wordpiece: keep capitals and accents" },
    out: { describe: "train, extend: where to write it", placeholder: "file", initial: "tokenizer.json" },
    replace: { describe: "train, extend: replace what is at --out" },
    json: { describe: "encode: ids as a JSON array; inspect: one JSON object" },
  },
  examples: [
    "tilth tokenizer train --corpus runs/quickstart/corpus --vocabulary 16384",
    "tilth tokenizer extend ~/models/llama --corpus runs/domain/corpus --add 2048 --out extended.json",
    'echo "Hello, world" | tilth tokenizer encode tokenizer.json',
    "tilth tokenizer inspect runs/quickstart/checkpoints/step-0000650",
  ],
  async run(input) {
    const [action] = input.positionals;
    if (action === "train") return train(input);
    if (action === "extend") return extend(input);
    if (action === "encode") return encode(input);
    if (action === "inspect") return inspect(input);
    throw new UsageError(`tilth tokenizer ${action ?? ""}: expected train, extend, encode or inspect`, {
      remedy: "See: tilth tokenizer --help",
    });
  },
};

async function train(input: CommandInput): Promise<void> {
  const corpus = input.text("corpus");
  if (corpus === undefined) {
    throw new UsageError("--corpus is needed", { remedy: "Build one with: tilth data build --folder <your text>" });
  }
  const model = input.choice("model", ["bpe", "wordpiece"]) ?? "bpe";
  const pattern = input.choice("pattern", patternNames) ?? "gpt2";
  const vocabularySize = input.number("vocabulary", { minimum: 257, maximum: 1_000_000, whole: true }) ?? 8192;
  const file = resolve(input.text("out") ?? "tokenizer.json");
  await requireReplaceable(input, file, "a tokenizer", input.text("out"));
  const progress = progressLine();
  const store = await openDocumentStore(corpus);
  try {
    const kind = model === "bpe" ? "byte-pair" : "word-piece";
    const trained = await trainTokenizer(
      texts(store.documents({ split: "train" })),
      { kind, vocabularySize, pattern, lowercase: !input.flag("cased") },
      { specialTokens: [], onProgress: progress.update, signal: interruptSignal("stopping") },
    );
    writeFileAtomically(file, trained.toJson());
    await writeRecord(file, {
      ...{ kind: "tokenizer", command: "tokenizer train", details: { model, pattern, vocabularySize } },
      used: [{ role: "corpus", kind: "corpus", path: resolve(corpus) }],
    });
    progress.end();
    say(`Wrote ${file}: ${trained.vocabularySize} tokens`);
  } finally {
    store.close();
  }
}

async function extend(input: CommandInput): Promise<void> {
  const corpus = input.text("corpus");
  if (corpus === undefined) {
    throw new UsageError("--corpus is needed", { remedy: "Build one with: tilth data build --folder <your text>" });
  }
  const base = openTokenizer(input.positionals[1]);
  const added = input.number("add", { minimum: 1, maximum: 1_000_000, whole: true }) ?? 1024;
  const file = resolve(input.text("out") ?? "tokenizer.json");
  await requireReplaceable(input, file, "a tokenizer", input.text("out"));
  const progress = progressLine();
  const store = await openDocumentStore(corpus);
  try {
    const extended = await extendTokenizer(base, texts(store.documents({ split: "train" })), {
      tokens: added,
      onProgress: progress.update,
      signal: interruptSignal("stopping"),
    });
    writeFileAtomically(file, extended.toJson());
    progress.end();
    say(`Wrote ${file}: ${base.vocabularySize} tokens and ${extended.vocabularySize - base.vocabularySize} new ones`);
  } finally {
    store.close();
  }
}

async function* texts(documents: AsyncIterable<{ readonly text: string }>): AsyncGenerator<string> {
  for await (const { text } of documents) yield text;
}

async function encode(input: CommandInput): Promise<void> {
  const [, from, file] = input.positionals;
  const chosen = openTokenizer(from);
  if (file !== undefined && !existsSync(file)) throw new UsageError(`there is no file ${file}`);
  const text = file === undefined ? await textOfStream(process.stdin) : readFileSync(file, "utf8");
  await prepareTokenizerKernels();
  const ids = chosen.encode(text);
  if (input.flag("json")) {
    process.stdout.write(`${JSON.stringify([...ids])}\n`);
    return;
  }
  for (const id of ids) process.stdout.write(`${id}\t${JSON.stringify(chosen.decode([id]))}\n`);
  const bytes = Buffer.byteLength(text);
  say(`${ids.length} tokens of ${bytes} bytes: ${(bytes / Math.max(1, ids.length)).toFixed(2)} bytes a token`);
}

async function inspect(input: CommandInput): Promise<void> {
  const chosen = openTokenizer(input.positionals[1]);
  const { specialTokens, vocabularySize, endOfText } = chosen;
  const bytePair = chosen instanceof BytePairTokenizer ? chosen.definition : undefined;
  const texts = Array.from({ length: vocabularySize }, (_, id) => chosen.decode([id]));
  const longest = [...texts.keys()].sort((a, b) => texts[b].length - texts[a].length).slice(0, 10);
  const facts = {
    vocabularySize,
    pattern: bytePair?.pattern ?? null,
    merges: bytePair?.merges.length ?? null,
    specialTokens: Object.fromEntries(specialTokens),
    endOfText,
    longestTokens: longest.map((id) => texts[id]),
  };
  if (input.flag("json")) {
    process.stdout.write(`${JSON.stringify(facts)}\n`);
    return;
  }
  process.stdout.write(
    [
      `vocabulary      ${facts.vocabularySize} tokens${facts.merges === null ? "" : `, ${facts.merges} merges`}`,
      ...(facts.pattern === null ? [] : [`pattern         ${facts.pattern}`]),
      `special tokens  ${[...specialTokens].map(([name, id]) => `${name} = ${id}`).join(", ")}`,
      `longest tokens  ${facts.longestTokens.map((one) => JSON.stringify(one)).join(" ")}`,
      "",
    ].join("\n"),
  );
}

/** A `tokenizer.json`, or the one in a checkpoint or shard folder. */
function openTokenizer(path: string | undefined): Tokenizer {
  if (path === undefined) throw new UsageError("which tokenizer? Give a tokenizer.json or a folder that holds one.");
  if (!existsSync(path)) throw new UsageError(`there is no ${path}`);
  return readTokenizerJson(statSync(path).isDirectory() ? join(path, "tokenizer.json") : path);
}
