/** Sample efficiency of a checkpoint beside the same model with random weights. */
import {
  type LabelledFeatures,
  type Pooling,
  representationsOf,
  type SampleEfficiency,
  sampleEfficiency,
} from "../evaluation/index.ts";
import type { Progress } from "../foundation/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

/** Texts with their classes, from 0. */
export interface LabelledTexts {
  readonly texts: readonly string[];
  readonly labels: Int32Array;
}

export interface EvaluateEfficiencyInput {
  readonly checkpoint: string;
  readonly train: LabelledTexts;
  readonly test: LabelledTexts;
  /** Numbers of labels, rising. */
  readonly counts: readonly number[];
  readonly draws: number;
  readonly seed: number;
  readonly pooling: Pooling;
  readonly device: DeviceOptions;
}

export const evaluateEfficiencyJob: Job<EvaluateEfficiencyInput, Progress, SampleEfficiency> = {
  name: "evaluate-efficiency",
  async run(input, { emit }) {
    const { counts, draws, seed, pooling } = input;
    const backend = await openDevice(input.device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      const features = async ({ texts, labels }: LabelledTexts): Promise<LabelledFeatures> => {
        const options = { pooling, normalize: false, onProgress: emit };
        const tokens = tokenizer.encodeBatch(texts);
        const { vectors, width } = await representationsOf(engine, model, tokens, tokenizer.endOfText, options);
        return { features: vectors, width, labels };
      };
      const pretrained = { train: await features(input.train), test: await features(input.test) };
      model.arena.initialize(seed);
      const random = { train: await features(input.train), test: await features(input.test) };
      return sampleEfficiency(
        { pretrained: pretrained.train, random: random.train },
        { pretrained: pretrained.test, random: random.test },
        counts,
        {
          draws,
          seed,
          onPoint: (done, total) => emit({ stage: "fitting heads", done, total, unit: "numbers of labels" }),
        },
      );
    } finally {
      backend.dispose();
    }
  },
};
