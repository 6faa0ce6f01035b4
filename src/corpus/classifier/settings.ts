/** How a classifier is trained, and how a corpus uses one. */
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import { documentKinds } from "../document.ts";

export const classifierSettings = settingsObject("classifier", {
  wordNgrams: z.int().min(1).max(5).default(2).describe("words in a row, from 1 to this"),
  characterNgrams: z.int().min(0).max(8).default(4).describe("characters in a row; 0 leaves them out"),
  buckets: z
    .int()
    .min(1024)
    .max(1 << 26)
    .refine((count) => (count & (count - 1)) === 0, { error: "buckets must be a power of two" })
    .default(1 << 18)
    .describe("weights that the n-grams share by their hash; 4 bytes each"),
  maximumCharacters: z.int().min(100).default(20_000).describe("of a longer text the beginning is looked at"),
  epochs: z.int().min(1).max(100).default(5).describe("passes over the training part"),
  learningRate: z.number().positive().default(0.5).describe("of AdaGrad"),
  l2: z.number().min(0).default(1e-5).describe("pull of the weights towards 0"),
  heldOutShare: z.number().min(0.01).max(0.5).default(0.1).describe("share of the documents that measures"),
  maximumDocuments: z.int().min(10).default(100_000).describe("documents of each class at most, in the sources' order"),
  seed: z.int().min(0).default(1).describe("of the order of training and of the intervals"),
});

export type ClassifierSettings = z.infer<typeof classifierSettings>;

/** A classifier as a corpus uses it: its score is stored for every document of `kinds`, and a threshold may judge. */
export const corpusClassifier = settingsObject("classifier of a corpus", {
  name: z
    .string()
    .regex(/^[a-z][\w-]*$/i, { error: "a classifier's name has letters, digits, - and _" })
    .describe("the score is stored as the measure classifier.<name>"),
  file: z.string().min(1).describe("what tilth data classifier train wrote"),
  kinds: z.array(z.enum(documentKinds)).min(1).default(["web", "prose"]).describe("kinds of documents that are scored"),
  minimum: z.number().min(0).max(1).optional().describe("lower scores are rejected"),
  maximum: z.number().min(0).max(1).optional().describe("higher scores are rejected"),
});

export type CorpusClassifier = z.infer<typeof corpusClassifier>;
