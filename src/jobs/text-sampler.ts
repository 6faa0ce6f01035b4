/** What a model in training writes after given prompts, so that people can read how it learns. */
import { UsageError } from "../foundation/index.ts";
import { generateBatch } from "../generation/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { SamplesConfiguration, Trainer } from "../training/index.ts";

/**
 * A function that continues all prompts with the weights as they then are. The run's own random numbers stay as they are.
 * Throws UsageError where a prompt leaves no room in the model's context.
 */
export function textSampler(
  { engine, model }: Pick<Trainer, "engine" | "model">,
  tokenizer: Tokenizer,
  { prompts, tokens, temperature }: SamplesConfiguration,
  seed: number,
): () => Promise<{ prompt: string; text: string }[]> {
  const { endOfText, vocabularySize } = tokenizer;
  const { context } = model.architecture.dimensions(model.configuration);
  const starts = prompts.map((prompt) => Int32Array.of(endOfText, ...tokenizer.encode(prompt)));
  for (const [index, { length }] of starts.entries()) {
    if (length < context) continue;
    throw new UsageError(
      `training.samples.prompts[${index}] has ${length} tokens, which leaves no room in a context of ${context}`,
      { remedy: "Shorten the prompt." },
    );
  }
  const options = { ...{ maximumTokens: tokens, temperature, topK: 0, topP: 0.95 }, seed, endOfText, vocabularySize };
  return async () => {
    const decoders = prompts.map(() => tokenizer.streamDecoder());
    const texts = prompts.map(() => "");
    for await (const { prompt, token } of generateBatch(engine, model, starts, options))
      texts[prompt] += decoders[prompt].push(token);
    return prompts.map((prompt, index) => ({ prompt, text: texts[index] + decoders[index].end() }));
  };
}
