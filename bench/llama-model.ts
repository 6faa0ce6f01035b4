/** A Llama with random weights in bf16, written twice: for Tilth and, as GGUF, for llama.cpp. The same numbers on both sides. */
import { join } from "node:path";
import { type Backend, Engine } from "../src/engine/index.ts";
import { exportGguf, exportHuggingFace, openCheckpoint } from "../src/export/index.ts";
import { UsageError } from "../src/foundation/index.ts";
import { type LanguageModel, llama, llamaConfiguration } from "../src/models/index.ts";
import { BytePairTokenizer, tokenizerConfigJson, toTokenizerJson } from "../src/tokenizer/index.ts";
import { writeModel } from "../src/training/index.ts";

/** Llama sizes by name. */
const presets = {
  quickstart: { layers: 5, width: 192, attentionHeads: 6, vocabularySize: 4096 },
  "124m": { layers: 12, width: 768, attentionHeads: 12, vocabularySize: 32_000 },
  "350m": { layers: 24, width: 1024, attentionHeads: 16, vocabularySize: 32_000 },
} as const;

export const contextTokens = 512;

/** A size and its name; 124m if none is given. */
export function presetOf(name = "124m") {
  if (Object.hasOwn(presets, name)) return [name, presets[name as keyof typeof presets]] as const;
  throw new UsageError(`there is no preset "${name}"`, { remedy: `Presets: ${Object.keys(presets).join(", ")}` });
}

/** Writes `model.gguf` and a Hugging Face folder, which it returns. */
export async function writeSameModel(folder: string, backend: Backend, preset: object): Promise<string> {
  const configuration = llamaConfiguration.parse({
    ...preset,
    context: contextTokens,
    initializerStandardDeviation: 0.05,
  });
  const made = llama.create(new Engine(backend), configuration) as LanguageModel;
  made.arena.initialize(1);
  const tokenizer = byteTokenizer();
  const whole = join(folder, "whole");
  await writeModel(whole, made, {
    "tokenizer.json": toTokenizerJson(tokenizer),
    "tokenizer_config.json": tokenizerConfigJson(tokenizer, configuration.context),
  });
  made.dispose();
  const checkpoint = openCheckpoint(whole);
  exportGguf(checkpoint, join(folder, "model.gguf"), { type: "BF16" });
  const halved = join(folder, "bf16");
  await exportHuggingFace(checkpoint, halved, { type: "bf16", shardBytes: 1e12 });
  checkpoint.weights.close();
  return halved;
}

function byteTokenizer(): BytePairTokenizer {
  const tokens = [...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)), Buffer.from("<|endoftext|>")];
  return new BytePairTokenizer({
    pattern: "gpt2",
    tokens,
    merges: [],
    specialTokens: new Map([["<|endoftext|>", 256]]),
  });
}
