/** A contrastive training run over a set of images with captions, new or resumed. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Communicator } from "../cluster/index.ts";
import type { PairsRunConfiguration } from "../config/index.ts";
import { canonicalJson, hashOf, parseSettings, TilthError, writeFileAtomically } from "../foundation/index.ts";
import {
  classTemplate,
  fingerprintSettings,
  ImageLoader,
  type ImageSettings,
  imageSettings,
  readPairs,
  splitPairs,
  toPreprocessorConfig,
} from "../images/index.ts";
import { imageTextArchitectureNamed, imageTextArchitectureNames } from "../models/index.ts";
import { parseTokenizerJson, tokenizerConfigJson, toTokenizerJson, trainBytePairEncoding } from "../tokenizer/index.ts";
import {
  type CheckpointFiles,
  ContrastiveTrainer,
  contrastiveConfiguration,
  decisiveSettings,
  PairStream,
  type RunRecord,
  runTraining,
} from "../training/index.ts";
import { openDevice } from "./device.ts";
import { pairTextOf } from "./image-text-model.ts";
import type { DeviceOptions, Job, JobContext } from "./job.ts";
import { onRanks } from "./on-ranks.ts";

/** Everything that a run needs. */
export interface TrainPairsInput {
  readonly runFolder: string;
  readonly images: PairsRunConfiguration["images"];
  /** Of the tokenizer that is trained on the captions. */
  readonly vocabularySize: number;
  readonly device: DeviceOptions;
  /** The architecture's sizes, without its vocabulary. */
  readonly model: { readonly architecture: string; readonly configuration: Readonly<Record<string, unknown>> };
  readonly training: unknown;
  readonly resume: boolean;
  readonly files: CheckpointFiles;
  readonly peakFlops?: number;
}

/** What the data of a run are, as it reports them before the first step and keeps them in `pairs.json`. */
export interface PairSummary {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
  readonly skipped: number;
  readonly damaged: number;
  readonly nearDuplicates: number;
  readonly compared: boolean;
}

/** What the run reports. */
export type TrainPairsEvent =
  | { readonly kind: "data"; readonly data: PairSummary; readonly parameters: number }
  | { readonly kind: "record"; readonly record: RunRecord }
  | { readonly kind: "warning"; readonly message: string };

/** The end of a run. */
export interface TrainPairsOutput {
  readonly checkpoint: string;
  readonly steps: number;
  readonly parameters: number;
  readonly data: PairSummary;
  /** Images that turned out to be damaged while training. */
  readonly damaged: number;
  readonly peakRssBytes: number;
}

/** `pairs.json` of a run: which pairs are held out, which were left out and why. */
const pairsFile = z.strictObject({
  train: z.array(z.string()),
  validation: z.array(z.string()),
  test: z.array(z.string()),
  skipped: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
  damaged: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
  nearDuplicates: z.number(),
  compared: z.boolean(),
});
export type PairsFile = z.infer<typeof pairsFile>;

/** The split of a run. Throws TilthError where it is missing or damaged. */
export function readPairsFile(runFolder: string): PairsFile {
  const file = join(runFolder, "pairs.json");
  if (!existsSync(file)) throw new TilthError(`${runFolder} has no pairs.json: it is no run over images`);
  return parseSettings(pairsFile, JSON.parse(readFileSync(file, "utf8")), file);
}

export const trainPairsJob: Job<TrainPairsInput, TrainPairsEvent, TrainPairsOutput> = {
  name: "train-pairs",
  run: (input, context) => onRanks((ranks) => trainOn(ranks, input, context)),
};

async function trainOn(
  ranks: Communicator,
  input: TrainPairsInput,
  { emit, shouldStop }: JobContext<TrainPairsEvent>,
): Promise<TrainPairsOutput> {
  const warn = (message: string) => emit({ kind: "warning", message });
  const training = parseSettings(contrastiveConfiguration, input.training, "the training settings");
  const { train, validation, file, tokenizerText } = await preparePairs(input, training.seed);
  const tokenizer = parseTokenizerJson(tokenizerText);
  const architecture = imageTextArchitectureNamed(input.model.architecture);
  if (architecture === undefined) {
    throw new TilthError(`"${input.model.architecture}" is no architecture of images and texts`, {
      remedy: `Those are: ${imageTextArchitectureNames.join(", ")}.`,
    });
  }
  const configuration = parseSettings(
    architecture.schema,
    { ...input.model.configuration, vocabularySize: tokenizer.vocabularySize, endOfText: tokenizer.endOfText },
    "the settings of the model",
  );
  const dimensions = architecture.dimensions(configuration);
  const settings = settingsFor(input, dimensions.imageSize);
  const backend = await openDevice(input.device, warn);
  const trainer = new ContrastiveTrainer(backend, architecture, configuration, training, ranks);
  const loader = new ImageLoader(settings);
  const text = pairTextOf(trainer.model, tokenizer);
  const streams = [train, validation].map((pairs) => new PairStream(pairs, loader, dimensions.imageSize, text, ranks));
  const data: PairSummary = {
    ...{ train: train.length, validation: validation.length, test: file.test.length, skipped: file.skipped.length },
    ...{ damaged: file.damaged.length, nearDuplicates: file.nearDuplicates, compared: file.compared },
  };
  emit({ kind: "data", data, parameters: dimensions.parameters });
  try {
    const checkpoint = await runTraining(trainer, {
      runFolder: input.runFolder,
      train: streams[0],
      validation: streams[1],
      configurationHash: hashOf(
        canonicalJson([
          architecture.name,
          configuration,
          decisiveSettings(training),
          settings,
          file.train,
          file.validation,
        ]),
        tokenizerText,
      ),
      files: {
        "tokenizer.json": tokenizerText,
        "tokenizer_config.json": tokenizerConfigJson(tokenizer, dimensions.text.context),
        "preprocessor_config.json": `${JSON.stringify(toPreprocessorConfig(settings), null, 2)}\n`,
        ...input.files,
      },
      resume: input.resume,
      peakFlops: ranks.sum([input.peakFlops ?? backend.measurePeakFlops()])[0],
      onRecord: (record) => emit({ kind: "record", record }),
      onWarning: warn,
      shouldStop,
    });
    return {
      ...{ checkpoint, steps: trainer.step, parameters: dimensions.parameters, data },
      damaged: new Set(streams.flatMap(({ damaged }) => [...damaged.keys()])).size,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
    };
  } finally {
    await loader.close();
    trainer.dispose();
    backend.dispose();
  }
}

/** The run's split and tokenizer: as they lie in its folder, or made and written there. */
export async function preparePairs(
  input: Pick<TrainPairsInput, "runFolder" | "images" | "vocabularySize" | "resume">,
  seed: number,
) {
  const split = await openSplit(input, seed);
  return { ...split, tokenizerText: await tokenizerOf(input, split.train) };
}

function settingsFor({ images, model }: TrainPairsInput, size: number): ImageSettings {
  const { background } = images;
  return model.architecture === "siglip"
    ? imageSettings.parse({
        size,
        resize: "squash",
        mean: [0.5, 0.5, 0.5],
        standardDeviation: [0.5, 0.5, 0.5],
        background,
      })
    : imageSettings.parse({ size, background });
}

/** The run's split: as `pairs.json` has it, or made and written there. */
async function openSplit(
  { runFolder, images, resume }: Pick<TrainPairsInput, "runFolder" | "images" | "resume">,
  seed: number,
) {
  const { validationShare, testShare } = images;
  const { pairs, skipped } = readPairs(images.path, { template: images.template ?? classTemplate });
  if (resume) {
    const file = readPairsFile(runFolder);
    const byName = new Map(pairs.map((pair) => [pair.name, pair]));
    const find = (names: readonly string[]) =>
      names.map((name) => {
        const pair = byName.get(name);
        if (pair === undefined) throw new TilthError(`${images.path}: "${name}", which the run trains on, is gone`);
        return pair;
      });
    return { train: find(file.train), validation: find(file.validation), file };
  }
  const loader = new ImageLoader(fingerprintSettings);
  try {
    const split = await splitPairs(pairs, loader, { validationShare, testShare, seed });
    const { train, validation, test, nearDuplicates, compared, damaged } = split;
    if (train.length === 0 || validation.length === 0) {
      throw new TilthError(
        `${images.path}: ${train.length} pairs to train on and ${validation.length} held out of ${pairs.length}: too few`,
        { remedy: "Give more pairs, or captions that differ." },
      );
    }
    const names = (some: typeof train) => some.map(({ name }) => name);
    const file: PairsFile = {
      ...{
        train: names(train),
        validation: names(validation),
        test: names(test),
        skipped: [...skipped],
        damaged: [...damaged],
      },
      ...{ nearDuplicates, compared },
    };
    mkdirSync(runFolder, { recursive: true });
    writeFileAtomically(join(runFolder, "pairs.json"), `${JSON.stringify(file, null, 1)}\n`);
    return { train, validation, file };
  } finally {
    await loader.close();
  }
}

/** The run's `tokenizer.json`: found, or trained on the training captions. */
async function tokenizerOf(
  { runFolder, vocabularySize, resume }: Pick<TrainPairsInput, "runFolder" | "vocabularySize" | "resume">,
  train: readonly { readonly captions: readonly string[] }[],
): Promise<string> {
  const file = join(runFolder, "tokenizer.json");
  if (resume && existsSync(file)) return readFileSync(file, "utf8");
  async function* captions() {
    for (const pair of train) yield* pair.captions.map((caption) => caption.toLowerCase());
  }
  const tokenizer = await trainBytePairEncoding(captions(), {
    ...{ vocabularySize, specialTokens: ["<|endoftext|>"], pattern: "gpt2" as const },
  });
  const text = toTokenizerJson(tokenizer);
  writeFileAtomically(file, text);
  return text;
}
