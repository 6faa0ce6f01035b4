/** What linear and nearest-neighbour probes find in a checkpoint's vectors of labelled texts or pictures, beside the untrained model. */
import { type LabelFields, labelledTexts } from "../adaptation/index.ts";
import { type Backend, Engine } from "../engine/index.ts";
import {
  examplesOf,
  linearProbe,
  nearestNeighbourProbe,
  type Pooling,
  type ProbeResult,
  readRows,
  representationsOf,
} from "../evaluation/index.ts";
import { bootstrapMean, type Estimate, mixKeys, type Progress, TilthError } from "../foundation/index.ts";
import { classTemplate, ImageLoader, type ImageTextPair, readPairs } from "../images/index.ts";
import { embedPairs } from "../objectives/index.ts";
import { PairStream } from "../training/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import { loadImageTextModel } from "./image-text-model.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface EvaluateProbeInput {
  readonly checkpoint: string;
  /** A file of labelled texts (JSON lines, CSV or Parquet; fields `text` and `label` if left out) for a model of text; or a set of pictures that names classes. */
  readonly data: { readonly texts: string; readonly fields?: LabelFields } | { readonly images: string };
  /** Of texts. */
  readonly pooling: Pooling;
  /** Share of the groups that the probes are tested on. */
  readonly testShare: number;
  readonly seed: number;
  readonly device: DeviceOptions;
}

/** Accuracies on examples that no probe was fitted to, with 95 % intervals. */
export interface ProbeFigures {
  readonly linear: Estimate;
  readonly nearestNeighbours: Estimate;
}

export interface EvaluateProbeOutput {
  readonly classes: readonly string[];
  readonly train: number;
  readonly test: number;
  /** Of always saying the class that most training examples have. */
  readonly majorityAccuracy: number;
  readonly trained: ProbeFigures;
  /** The same model before its training, with weights from `seed`. */
  readonly untrained: ProbeFigures;
}

/** An example before it is a vector. Those of one group are on one side of the split. */
interface Example<Content> {
  readonly content: Content;
  readonly label: string;
  readonly group: string;
}

/** Vectors of all examples from the trained and from the untrained model. */
interface Vectors {
  readonly trained: Float32Array;
  readonly untrained: Float32Array;
  readonly width: number;
}

export const evaluateProbeJob: Job<EvaluateProbeInput, Progress, EvaluateProbeOutput> = {
  name: "evaluate-probe",
  async run(input, { emit }) {
    const backend = await openDevice(input.device, () => {});
    try {
      if ("texts" in input.data) {
        const { texts, fields = { text: "text", label: "label" } } = input.data;
        const rows = await readRows(texts);
        const grouped = rows.every((row) => row !== null && typeof row === "object" && "group" in row);
        const examples = labelledTexts(rows, texts, { ...(grouped && { group: "group" }), ...fields }).map(
          ({ text, label, group = text }) => ({ content: text, label, group }),
        );
        return resultOf(examples, await vectorsOfTexts(backend, input, examples, emit), input);
      }
      const { images } = input.data;
      const examples = readPairs(images, { template: classTemplate }).pairs.flatMap((pair) =>
        pair.class === undefined ? [] : [{ content: pair, label: pair.class, group: pair.group ?? pair.name }],
      );
      const { shown, vectors } = await vectorsOfImages(backend, input, examples);
      return resultOf(shown, vectors, input);
    } finally {
      backend.dispose();
    }
  },
};

async function vectorsOfTexts(
  backend: Backend,
  { checkpoint, pooling, seed }: EvaluateProbeInput,
  examples: readonly Example<string>[],
  onProgress: (progress: Progress) => void,
): Promise<Vectors> {
  const { engine, model, tokenizer } = loadModel(checkpoint, backend);
  const tokens = tokenizer.encodeBatch(examples.map(({ content }) => content));
  const vectorsFrom = () =>
    representationsOf(engine, model, tokens, tokenizer.endOfText, { pooling, normalize: false, onProgress });
  const { vectors: trained, width } = await vectorsFrom();
  model.arena.initialize(seed);
  const { vectors: untrained } = await vectorsFrom();
  model.dispose();
  return { trained, untrained, width };
}

/** Pairs that pass through the towers at a time. */
const batchPairs = 64;

/** Vectors of the pictures that can be decoded, and whose they are. */
async function vectorsOfImages(
  backend: Backend,
  { checkpoint, seed }: EvaluateProbeInput,
  examples: readonly Example<ImageTextPair>[],
) {
  const { model, text, images } = loadImageTextModel(checkpoint, backend);
  const loader = new ImageLoader(images);
  try {
    const engine = new Engine(backend);
    const stream = new PairStream(
      examples.map(({ content }) => content),
      loader,
      images.size,
      text,
    );
    const whole = await stream.wholeBatch(examples.length);
    const kept = new Set(whole.pairs);
    const { images: trained, width } = await embedPairs(engine, model, whole.batch, batchPairs);
    model.arena.initialize(seed);
    const { images: untrained } = await embedPairs(engine, model, whole.batch, batchPairs);
    return { shown: examples.filter(({ content }) => kept.has(content)), vectors: { trained, untrained, width } };
  } finally {
    await loader.close();
    model.dispose();
  }
}

function resultOf(
  examples: readonly Example<unknown>[],
  { trained, untrained, width }: Vectors,
  { testShare, seed }: EvaluateProbeInput,
): EvaluateProbeOutput {
  const classes = [...new Set(examples.map(({ label }) => label))].sort();
  const isTest = examples.map(({ group }) => mixKeys(seed, ...Buffer.from(group)) / 2 ** 32 < testShare);
  const [trainRows, testRows] = [false, true].map((test) => [...isTest.keys()].filter((row) => isTest[row] === test));
  if (classes.length < 2 || trainRows.length === 0 || testRows.length === 0) {
    throw new TilthError(
      `a probe needs examples of two classes on both sides: there are ${classes.length} classes, ${trainRows.length} examples to fit and ${testRows.length} to test`,
      { remedy: 'Give more lines of {"text", "label"}, or pictures whose set names classes.' },
    );
  }
  const labels = Int32Array.from(examples, ({ label }) => classes.indexOf(label));
  const probes = (features: Float32Array): ProbeFigures => {
    const [train, test] = [trainRows, testRows].map((rows) => examplesOf({ features, width, labels }, rows));
    const estimate = ({ predictions }: ProbeResult) =>
      bootstrapMean(Array.from(predictions, (one, row) => Number(one === test.labels[row])));
    return {
      linear: estimate(linearProbe(train, test, { decay: 1e-2 })),
      nearestNeighbours: estimate(nearestNeighbourProbe(train, test)),
    };
  };
  const counts = classes.map((name) => trainRows.filter((row) => examples[row].label === name).length);
  const majority = classes[counts.indexOf(Math.max(...counts))];
  return {
    ...{ classes, train: trainRows.length, test: testRows.length },
    majorityAccuracy: testRows.filter((row) => examples[row].label === majority).length / testRows.length,
    trained: probes(trained),
    untrained: probes(untrained),
  };
}
