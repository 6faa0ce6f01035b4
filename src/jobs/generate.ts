/** Text from a checkpoint, streamed. */
import { generateTokens, type SamplingOptions } from "../generation/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

/** `prompts` are continued one after the other; an empty one starts a document. */
export interface GenerateInput extends SamplingOptions {
  readonly checkpoint: string;
  readonly device: DeviceOptions;
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
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      const continuations: Continuation[] = [];
      for (const [index, prompt] of input.prompts.entries()) {
        const ids = tokenizer.encode(prompt);
        const start = new Int32Array(ids.length + 1);
        start[0] = tokenizer.endOfText;
        start.set(ids, 1);
        const decoder = tokenizer.streamDecoder();
        const options = { ...input, seed: input.seed + index, endOfText: tokenizer.endOfText, shouldStop };
        const started = performance.now();
        let text = "";
        let tokens = 0;
        const show = (piece: string) => {
          if (piece === "") return;
          text += piece;
          emit({ kind: "text", prompt: index, text: piece });
        };
        for await (const token of generateTokens(engine, model, start, options)) {
          tokens += 1;
          show(decoder.push(token));
        }
        show(decoder.end());
        const seconds = (performance.now() - started) / 1000;
        continuations.push({ prompt, text, tokens, tokensPerSecond: tokens / seconds });
      }
      return continuations;
    } finally {
      backend.dispose();
    }
  },
};
