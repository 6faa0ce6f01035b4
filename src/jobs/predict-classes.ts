/** Texts classified by a fine-tuned checkpoint. */
import { framed, paddedBatch, readTextHead } from "../adaptation/index.ts";
import { type Backend, rowsOf } from "../engine/index.ts";
import type { Progress } from "../foundation/index.ts";
import { readHuggingFaceConfiguration } from "../training/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface PredictClassesInput {
  readonly checkpoint: string;
  readonly texts: readonly string[];
  readonly device: DeviceOptions;
}

/** The likeliest class of a text. */
export interface Prediction {
  readonly label: string;
  readonly probability: number;
}

const together = 32;

export const predictClassesJob: Job<PredictClassesInput, Progress, Prediction[]> = {
  name: "predict-classes",
  async run({ checkpoint, texts, device }, { emit }) {
    const backend = await openDevice(device, () => {});
    try {
      return await classifyTexts(checkpoint, texts, backend, emit);
    } finally {
      backend.dispose();
    }
  },
};

/** Names the class of every text. Throws TilthError where the checkpoint is no classifier of texts. */
export async function classifyTexts(
  checkpoint: string,
  texts: readonly string[],
  backend: Backend,
  emit: (progress: Progress) => void = () => {},
): Promise<Prediction[]> {
  const { engine, model, tokenizer } = loadModel(checkpoint, backend);
  const { head, classes } = readTextHead(checkpoint, readHuggingFaceConfiguration(checkpoint), model);
  const rows = tokenizer.encodeBatch(texts).map((ids) => framed(model, tokenizer, ids));
  const found: Prediction[] = [];
  for (let first = 0; first < rows.length; first += together) {
    const some = rows.slice(first, first + together);
    const logits = await engine.scope({ record: false }, () => {
      const lengths = some.map((row) => row.length);
      const { hidden, weight, bias } = head.logits(engine, paddedBatch(model, some, tokenizer.endOfText), lengths);
      const out = engine.allocate([rowsOf(hidden.tensor), classes.length]);
      backend.kernels.matmul(out, hidden.tensor, weight.tensor, { transposeB: true, bias: bias?.tensor });
      return backend.read(out);
    });
    some.forEach(
      (_, row) =>
        void found.push(likeliest(logits.subarray(row * classes.length, (row + 1) * classes.length), classes)),
    );
    emit({ stage: "classifying", done: found.length, total: rows.length, unit: "texts" });
  }
  return found;
}

function likeliest(logits: Float32Array, classes: readonly string[]): Prediction {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const total = logits.reduce((sum, value) => sum + Math.exp(value - highest), 0);
  return { label: classes[logits.indexOf(highest)], probability: 1 / total };
}
