/** Text from a checkpoint, streamed. */
import { generateBatch, type SamplingOptions } from "../generation/index.ts";
import { loadModel, type WeightsInMemory } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

/** `prompts` are continued together, each from a seed of its own; an empty one starts a document. */
export interface GenerateInput extends SamplingOptions {
  readonly checkpoint: string;
  readonly device: DeviceOptions;
  /** f32 if left out. */
  readonly weights?: WeightsInMemory;
  readonly prompts: readonly string[];
  readonly maximumTokens: number;
  readonly seed: number;
}

/** Pieces of text as they come; `prompt` is the index. */
export type GenerateEvent =
  | { readonly kind: "text"; readonly prompt: number; readonly text: string }
  | { readonly kind: "warning"; readonly message: string };

/** One continuation. */
export interface Continuation {
  readonly prompt: string;
  readonly text: string;
  readonly tokens: number;
  readonly tokensPerSecond: number;
}

export const generateJob: Job<GenerateInput, GenerateEvent, Continuation[]> = {
  name: "generate",
  async run(input, { emit, shouldStop }) {
    const backend = await openDevice(input.device, (message) => emit({ kind: "warning", message }));
    try {
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend, input.weights);
      const starts = input.prompts.map((prompt) => Int32Array.of(tokenizer.endOfText, ...tokenizer.encode(prompt)));
      const decoders = starts.map(() => tokenizer.streamDecoder());
      const made = input.prompts.map((prompt) => ({ prompt, text: "", tokens: 0 }));
      const show = (prompt: number, text: string) => {
        if (text === "") return;
        made[prompt].text += text;
        emit({ kind: "text", prompt, text });
      };
      const { endOfText, vocabularySize } = tokenizer;
      const options = { ...input, endOfText, vocabularySize, shouldStop };
      const started = performance.now();
      for await (const { prompt, token } of generateBatch(engine, model, starts, options)) {
        made[prompt].tokens += 1;
        show(prompt, decoders[prompt].push(token));
      }
      for (const [prompt, decoder] of decoders.entries()) show(prompt, decoder.end());
      const seconds = (performance.now() - started) / 1000;
      return made.map((one) => ({ ...one, tokensPerSecond: one.tokens / seconds }));
    } finally {
      backend.dispose();
    }
  },
};
