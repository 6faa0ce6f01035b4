/** Training and encoding of byte-level BPE beside Hugging Face's `tokenizers`, with one thread and with all. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { TilthError, UsageError } from "../src/foundation/index.ts";
import { prepareTokenizerKernels, trainBytePairEncoding } from "../src/tokenizer/index.ts";
import { type BenchmarkLine, type Comparison, compare, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { startPeer } from "./peer.ts";
import { realText } from "./real-text.ts";

/** Megabytes of real text, and the vocabulary. */
const presets = {
  small: { trainingBytes: 20e6, encodingBytes: 10e6, vocabularySize: 16_384, pattern: "gpt2" },
  large: { trainingBytes: 100e6, encodingBytes: 20e6, vocabularySize: 32_768, pattern: "gpt2" },
  cl100k: { trainingBytes: 50e6, encodingBytes: 20e6, vocabularySize: 50_000, pattern: "cl100k" },
} as const;

export async function tokenizerBenchmark(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const name = options.preset ?? "small";
  if (!Object.hasOwn(presets, name)) {
    throw new UsageError(`there is no preset "${name}"`, { remedy: `Presets: ${Object.keys(presets).join(", ")}` });
  }
  const { trainingBytes, encodingBytes, vocabularySize, pattern } = presets[name as keyof typeof presets];
  if (!(await prepareTokenizerKernels())) throw new TilthError("there is no compiler for the native tokenizer");
  const documents = realText(trainingBytes);
  const encoded = documents.filter((_, index) => index % Math.ceil(trainingBytes / encodingBytes) === 0);
  const bytesOf = (texts: readonly string[]) => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const folder = mkdtempSync(join(tmpdir(), "tilth-bench-"));
  try {
    const paths = { training: join(folder, "training.jsonl"), encoding: join(folder, "encoding.jsonl") };
    const lines = (texts: readonly string[]) => texts.map((text) => `${JSON.stringify(text)}\n`).join("");
    writeFileSync(paths.training, lines(documents));
    writeFileSync(paths.encoding, lines(encoded));
    const training = { vocabularySize, pattern, specialTokens: ["<|endoftext|>"], minimumFrequency: 2 } as const;
    const tokenizer = await trainBytePairEncoding(documents, training);
    const file = join(folder, "tokenizer.json");
    writeFileSync(file, tokenizer.toJson());
    const work = async (mode: "train" | "encode", threads: number): Promise<Comparison> =>
      compare(
        async () => {
          const started = performance.now();
          if (mode === "encode") tokenizer.encodeBatch(encoded, threads);
          else await trainBytePairEncoding(documents, { ...training, threads });
          return (performance.now() - started) / 1000;
        },
        options.peer
          ? (mode === "encode" ? ["encode_batch", "encode_batch_fast"] : ["train_from_iterator"]).map((call) => ({
              setting: `${call}, ${threads} threads`,
              start: () => startPeer("tokenizer.py", { ...paths, call, threads, file, pattern, vocabularySize }),
            }))
          : [],
        mode === "train" ? Math.min(3, options.repetitions) : options.repetitions,
        options.warn,
      );
    const threads = availableParallelism();
    const parts = {
      encoding: await work("encode", threads),
      encodingOneThread: await work("encode", 1),
      training: await work("train", threads),
      trainingOneThread: await work("train", 1),
    };
    const size = { encoding: bytesOf(encoded), training: bytesOf(documents) };
    const figures = Object.entries(parts).map(([part, { tilth, peer }]) => {
      const bytes = part.startsWith("encoding") ? size.encoding : size.training;
      return [
        part,
        {
          megabytesPerSecond: bytes / tilth.median / 1e6,
          peerMegabytesPerSecond: peer && bytes / peer.median / 1e6,
          ratio: peer && peer.median / tilth.median,
          peerSetting: peer?.setting ?? null,
        },
      ];
    });
    return lineOf(
      parts.encoding,
      {
        name: "tokenizer",
        config: `${name}: ${pattern}, ${tokenizer.vocabularySize} tokens, trained on ${(size.training / 1e6).toFixed(0)} MB, encoding ${(size.encoding / 1e6).toFixed(0)} MB on ${threads} threads`,
        unit: "seconds to encode",
        peerName: "Hugging Face tokenizers",
        shareOfPeak: null,
      },
      Object.fromEntries(figures),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
