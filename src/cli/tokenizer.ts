import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { text as textOfStream } from "node:stream/consumers";
import { openDocumentStore } from "../corpus/index.ts";
import { UsageError, writeFileAtomically } from "../foundation/index.ts";
import { readTokenizerJson, type Tokenizer, toTokenizerJson, trainBytePairEncoding } from "../tokenizer/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

/** `tilth tokenizer train|encode|inspect` */
export const tokenizer: Command = {
  summary: "train a byte-level BPE, encode text with one, look into one",
  usage: "train --corpus <folder>  |  encode <tokenizer> [file]  |  inspect <tokenizer>",
  options: {
    corpus: { describe: "train: folder of the document store whose training part is read", placeholder: "folder" },
    vocabulary: { describe: "train: tokens wanted", placeholder: "count", initial: "8192" },
    pattern: {
      describe: "train: how text is cut before merging: gpt2 or cl100k",
      placeholder: "name",
      initial: "gpt2",
    },
    out: { describe: "train: where to write it", placeholder: "file", initial: "tokenizer.json" },
    json: { describe: "encode: ids as a JSON array; inspect: one JSON object" },
  },
  examples: [
    "tilth tokenizer train --corpus runs/quickstart/corpus --vocabulary 16384",
    'echo "Hello, world" | tilth tokenizer encode tokenizer.json',
    "tilth tokenizer inspect runs/quickstart/checkpoints/step-0000650",
  ],
  async run(input) {
    const [action] = input.positionals;
    if (action === "train") return train(input);
    if (action === "encode") return encode(input);
    if (action === "inspect") return inspect(input);
    throw new UsageError(`tilth tokenizer ${action ?? ""}: expected train, encode or inspect`, {
      remedy: "See: tilth tokenizer --help",
    });
  },
};

async function train(input: CommandInput): Promise<void> {
  const corpus = input.text("corpus");
  if (corpus === undefined) {
    throw new UsageError("--corpus is needed", { remedy: "Build one with: tilth data build --folder <your text>" });
  }
  const pattern = input.choice("pattern", ["gpt2", "cl100k"]) ?? "gpt2";
  const vocabularySize = input.number("vocabulary", { minimum: 257, maximum: 1_000_000, whole: true }) ?? 8192;
  const progress = progressLine();
  const store = await openDocumentStore(corpus);
  try {
    const trained = await trainBytePairEncoding(texts(store.documents({ split: "train" })), {
      vocabularySize,
      specialTokens: ["<|endoftext|>"],
      pattern,
      onProgress: progress.update,
      signal: interruptSignal("stopping"),
    });
    const file = resolve(input.text("out") ?? "tokenizer.json");
    writeFileAtomically(file, toTokenizerJson(trained));
    progress.end();
    say(`Wrote ${file}: ${trained.vocabularySize} tokens`);
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
  const { specialTokens, pattern, merges, tokens } = chosen.definition;
  const longest = [...tokens.keys()].sort((a, b) => tokens[b].length - tokens[a].length).slice(0, 10);
  const facts = {
    vocabularySize: chosen.vocabularySize,
    pattern,
    merges: merges.length,
    specialTokens: Object.fromEntries(specialTokens),
    endOfText: chosen.endOfText,
    longestTokens: longest.map((id) => chosen.decode([id])),
  };
  if (input.flag("json")) {
    process.stdout.write(`${JSON.stringify(facts)}\n`);
    return;
  }
  process.stdout.write(
    [
      `vocabulary      ${facts.vocabularySize} tokens, ${facts.merges} merges`,
      `pattern         ${facts.pattern}`,
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
