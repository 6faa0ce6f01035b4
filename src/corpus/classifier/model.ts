/** A trained classifier: its file, and the score that it gives a text. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf, TilthError, writeFileAtomically } from "../../foundation/index.ts";
import { FeatureReader } from "./features.ts";
import { classifierSettings } from "./settings.ts";

const measured = z.object({ value: z.number(), low: z.number(), high: z.number() });

/** How well a classifier tells its classes apart; every value with its 95 % interval. */
export const evaluationSchema = z.object({
  positives: z.int(),
  negatives: z.int(),
  threshold: z.number(),
  precision: measured,
  recall: measured,
  f1: measured,
  auc: measured,
});

export type ClassifierEvaluation = z.infer<typeof evaluationSchema>;

const header = z.object({
  format: z.literal("tilth-classifier"),
  version: z.literal(1),
  name: z.string(),
  settings: classifierSettings,
  bias: z.number(),
  trainedOn: z.object({ positives: z.int(), negatives: z.int() }),
  heldOut: evaluationSchema.nullable(),
  weightsSha256: z.string(),
});

export type ClassifierHeader = z.infer<typeof header>;

/** A linear classifier over hashed n-grams. */
export class Classifier {
  private readonly features: FeatureReader;

  constructor(
    readonly header: ClassifierHeader,
    private readonly weights: Float32Array,
  ) {
    this.features = new FeatureReader(header.settings);
  }

  /** The probability, 0–1, that the text is of the positive class; 0.5 and the bias for a text without words. */
  score(text: string): number {
    return sigmoid(logit(this.features.read(text), this.weights, this.header.bias));
  }
}

/** Σ weight / √features + bias: the mean over the features, scaled so that long texts may be surer than short ones. */
export function logit(features: Int32Array, weights: Float32Array, bias: number): number {
  let sum = 0;
  for (const feature of features) sum += weights[feature];
  return bias + (features.length === 0 ? 0 : sum / Math.sqrt(features.length));
}

export function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

/** Writes a classifier: one line of JSON, then the weights as little-endian 32-bit floats. */
export function writeClassifier(
  file: string,
  description: Omit<ClassifierHeader, "format" | "version" | "weightsSha256">,
  weights: Float32Array,
): void {
  const bytes = Buffer.alloc(weights.length * 4);
  weights.forEach((weight, index) => {
    bytes.writeFloatLE(weight, index * 4);
  });
  const line: ClassifierHeader = {
    format: "tilth-classifier",
    version: 1,
    ...description,
    weightsSha256: createHash("sha256").update(bytes).digest("hex"),
  };
  writeFileAtomically(file, Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n`), bytes]));
}

/** Reads a classifier. Throws TilthError where the file is missing, damaged or something else. */
export function readClassifier(file: string): Classifier {
  if (!existsSync(file)) {
    throw new TilthError(`there is no classifier ${file}`, { remedy: "Train one with: tilth data classifier train" });
  }
  const bytes = readFileSync(file);
  const end = bytes.indexOf(10);
  try {
    const description = header.parse(JSON.parse(bytes.toString("utf8", 0, Math.max(0, end))));
    const body = bytes.subarray(end + 1);
    if (
      body.length !== description.settings.buckets * 4 ||
      createHash("sha256").update(body).digest("hex") !== description.weightsSha256
    ) {
      throw new TilthError("its weights are not those that it was written with");
    }
    const weights = new Float32Array(description.settings.buckets);
    for (let index = 0; index < weights.length; index++) weights[index] = body.readFloatLE(index * 4);
    return new Classifier(description, weights);
  } catch (error) {
    throw new TilthError(`${file} is no classifier of this version, or damaged: ${messageOf(error).split("\n")[0]}`, {
      remedy: "Train it again with: tilth data classifier train",
      cause: error,
    });
  }
}
