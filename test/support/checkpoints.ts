/** Small checkpoints with a trained tokenizer and seeded random weights, as a run leaves them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Backend, Engine } from "../../src/engine/index.ts";
import { type LanguageModel, llama, llamaConfiguration } from "../../src/models/index.ts";
import { type Tokenizer, tokenizerConfigJson, trainBytePairEncoding } from "../../src/tokenizer/index.ts";
import { writeModel } from "../../src/training/index.ts";

const root = join(import.meta.dirname, "..", "..");

async function* texts() {
  for (const file of ["LICENSE", "test/evaluation/fixtures/questions/blimp.jsonl"]) {
    yield readFileSync(join(root, file), "utf8");
  }
}

/** A tokenizer trained on files that seldom change, so that figures of tests do not move with the documentation. */
export function trainedTokenizer(vocabularySize = 512, pattern: "gpt2" | "cl100k" = "gpt2"): Promise<Tokenizer> {
  return trainBytePairEncoding(texts(), { vocabularySize, specialTokens: ["<|endoftext|>"], pattern });
}

/** A Llama whose logits differ clearly, so that greedy text is decided; every width is a multiple of 32. */
export async function writeLlama(
  folder: string,
  backend: Backend,
  options: { readonly tiedEmbeddings?: boolean; readonly pattern?: "gpt2" | "cl100k"; readonly context?: number } = {},
): Promise<{ model: LanguageModel; engine: Engine; tokenizer: Tokenizer }> {
  const tokenizer = await trainedTokenizer(512, options.pattern);
  const configuration = llamaConfiguration.parse({
    vocabularySize: 520,
    width: 64,
    layers: 3,
    attentionHeads: 4,
    keyValueHeads: 2,
    mlpWidth: 160,
    context: options.context ?? 128,
    ropeTheta: 5000,
    tiedEmbeddings: options.tiedEmbeddings ?? true,
    initializerStandardDeviation: 0.15,
  });
  const engine = new Engine(backend);
  const model = llama.create(engine, configuration);
  model.arena.initialize(5);
  await writeModel(folder, model as LanguageModel, {
    "tokenizer.json": tokenizer.toJson(),
    "tokenizer_config.json": tokenizerConfigJson(tokenizer, configuration.context),
  });
  return { model: model as LanguageModel, engine, tokenizer };
}
