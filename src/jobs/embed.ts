/** Vectors of texts from a checkpoint. */
import { type Pooling, type Representations, representationsOf } from "../evaluation/index.ts";
import type { Progress } from "../foundation/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface EmbedInput {
  readonly checkpoint: string;
  readonly texts: readonly string[];
  readonly pooling: Pooling;
  readonly normalize: boolean;
  readonly device: DeviceOptions;
}

export const embedJob: Job<EmbedInput, Progress, Representations> = {
  name: "embed",
  async run(input, { emit }) {
    const backend = await openDevice(input.device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      const tokens = tokenizer.encodeBatch(input.texts);
      return await representationsOf(engine, model, tokens, tokenizer.endOfText, { ...input, onProgress: emit });
    } finally {
      backend.dispose();
    }
  },
};
