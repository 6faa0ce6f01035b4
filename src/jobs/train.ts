/** A training run over finished shards, new or resumed. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Communicator } from "../cluster/index.ts";
import type { Backend } from "../engine/index.ts";
import { canonicalJson, hashOf, pluginsKey, quantile, TilthError } from "../foundation/index.ts";
import { type Architecture, architectureNamed } from "../models/index.ts";
import { type ChosenObjective, chooseObjective } from "../objectives/index.ts";
import {
  basePieces,
  readTokenizerJson,
  specialTokenIds,
  specialTokensMapJson,
  tokenizerConfigJson,
} from "../tokenizer/index.ts";
import {
  type CheckpointFiles,
  checkpointsFolder,
  decisiveSettings,
  forecastStep,
  loadBaseWeights,
  ReplayTokens,
  type RunRecord,
  runTraining,
  TokenStream,
  Trainer,
  type TrainingConfiguration,
  trainingConfiguration,
} from "../training/index.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job, JobContext } from "./job.ts";
import { measureMemory } from "./memory-rate.ts";
import { onRanks } from "./on-ranks.ts";
import { textSampler } from "./text-sampler.ts";
import { readShards, shardPrefix } from "./tokenize.ts";
import { vocabularyOf } from "./vocabulary.ts";

/** Everything that a run needs; `shards` holds `train` and `validation` and `tokenizer.json`. */
export interface TrainInput {
  readonly runFolder: string;
  readonly shards: string;
  readonly device: DeviceOptions;
  readonly model: { readonly architecture: string; readonly configuration: unknown };
  readonly training: unknown;
  readonly objective: { readonly kind: string };
  readonly resume: boolean;
  /** A Hugging Face folder with the weights that the first step starts from; random ones if left out. */
  readonly continueFrom?: string;
  /** General text among the run's own: the folder of its shards, and the share of all sequences. */
  readonly replay?: { readonly shards: string; readonly share: number };
  /** Further files for every checkpoint: model card, data report. */
  readonly files: CheckpointFiles;
  /** FLOP/s, for MFU; measured at the start if absent. */
  readonly peakFlops?: number;
}

/** What the run reports. */
export type TrainEvent =
  | { readonly kind: "record"; readonly record: RunRecord }
  | { readonly kind: "forecast"; readonly forecast: TrainForecast }
  | { readonly kind: "warning"; readonly message: string };

/** What a run will take, said before its first step. `memoryBytes` is the process' resident memory. */
export interface TrainForecast {
  readonly memoryBytes: number;
  /** Median of all steps. */
  readonly stepSeconds: number;
  /** All steps, without validation and checkpoints. */
  readonly runSeconds: number;
}

/** The end of a run. */
export interface TrainOutput {
  readonly checkpoint: string;
  readonly steps: number;
  readonly parameters: number;
  readonly peakRssBytes: number;
  /** Resident memory after the last step, which is the most of the training itself. */
  readonly memoryBytes: number;
  /** Median of all steps. */
  readonly stepSeconds: number;
  readonly forecast: TrainForecast | null;
}

export const trainJob: Job<TrainInput, TrainEvent, TrainOutput> = {
  name: "train",
  run: (input, context) => onRanks((ranks) => trainOn(ranks, input, context)),
};

async function trainOn(
  ranks: Communicator,
  input: TrainInput,
  { emit, shouldStop }: JobContext<TrainEvent>,
): Promise<TrainOutput> {
  const warn = (message: string) => emit({ kind: "warning", message });
  const backend = await openDevice(input.device, warn);
  const training = trainingConfiguration.parse(input.training);
  const tokenizerText = readTokenizerFile(input.shards);
  const tokenizer = readTokenizerJson(join(input.shards, "tokenizer.json"));
  const chosen = chooseObjective(input.objective, training.sequenceLength);
  const { objective, settings } = chosen;
  const vocabulary = vocabularyOf(tokenizer);
  const streams = (["train", "validation"] as const).map(
    (split) => new TokenStream(shardPrefix(input.shards, split), vocabulary),
  );
  const { replay, continueFrom } = input;
  if (replay !== undefined) streams.push(new TokenStream(shardPrefix(replay.shards, "train"), vocabulary));
  for (const stream of streams) stream.requireSequences(training.sequenceLength);
  const [own, validation, general] = streams;
  const train = replay === undefined ? own : new ReplayTokens(own, general, replay.share, training.sequenceLength);
  const peakFlops = ranks.sum([input.peakFlops ?? backend.measurePeakFlops()])[0];
  const architecture = architectureNamed(input.model.architecture);
  const forecast =
    ranks.size > 1
      ? null
      : await forecastRun(backend, architecture, input.model.configuration, training, chosen, peakFlops);
  if (forecast !== null) emit({ kind: "forecast", forecast });
  const trainer = new Trainer(backend, architecture, input.model.configuration, training, objective, ranks);
  try {
    const { configuration } = trainer.model;
    const stepSeconds: number[] = [];
    const { context, parameters, vocabularySize } = architecture.dimensions(configuration);
    if (tokenizer.vocabularySize > vocabularySize) {
      throw new TilthError(
        `the tokenizer has ${tokenizer.vocabularySize} tokens, the model's embedding only ${vocabularySize}`,
        { remedy: "Use the model's own tokenizer.json, or let it learn more tokens: continuation.extendTokenizer." },
      );
    }
    // A run without a checkpoint yet starts here again when it is resumed.
    if (continueFrom !== undefined && !hasCheckpoint(input.runFolder)) {
      const base = readTokenizerJson(join(continueFrom, "tokenizer.json"));
      loadBaseWeights(continueFrom, trainer.model, basePieces(tokenizer, base));
      trainer.average?.reset();
    }
    const sample =
      training.samples === undefined ? undefined : textSampler(trainer, tokenizer, training.samples, training.seed);
    const checkpoint = await runTraining(trainer, {
      sample,
      runFolder: input.runFolder,
      train,
      validation,
      shard: basename(shardPrefix(input.shards, "train")),
      // What decides the numbers: another number of steps would change the schedule, another tokenizer the data.
      configurationHash: hashOf(
        canonicalJson([architecture.name, configuration, decisiveSettings(training), settings]),
        tokenizerText,
        ...pluginsKey(),
        ...(replay === undefined ? [] : [canonicalJson([replay.share, readShards(replay.shards).key])]),
      ),
      files: {
        "tokenizer.json": tokenizerText,
        "tokenizer_config.json": tokenizerConfigJson(tokenizer, context),
        "special_tokens_map.json": specialTokensMapJson(tokenizer),
        "config.json": JSON.stringify(specialTokenIds(tokenizer)),
        ...(architecture.family === "decoder" && { "generation_config.json": generationConfig(tokenizer.endOfText) }),
        ...input.files,
      },
      resume: input.resume,
      validateAtStart: continueFrom !== undefined,
      peakFlops,
      onRecord(record) {
        if (record.kind === "step") stepSeconds.push(record.tokens / record.tokensPerSecond);
        emit({ kind: "record", record });
      },
      onWarning: warn,
      shouldStop,
    });
    return {
      checkpoint,
      steps: trainer.step,
      parameters,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      memoryBytes: process.memoryUsage.rss(),
      stepSeconds: stepSeconds.length === 0 ? 0 : quantile(stepSeconds, 0.5),
      forecast,
    };
  } finally {
    for (const stream of streams) stream.close();
    trainer.dispose();
    backend.dispose();
  }
}

/** What the JavaScript heap grows by while a run goes on, beside what the backend allocates. */
const heapBytes = 32 << 20;

async function forecastRun(
  backend: Backend,
  architecture: Architecture<unknown>,
  configuration: unknown,
  training: TrainingConfiguration,
  objective: ChosenObjective,
  peakFlops: number,
): Promise<TrainForecast> {
  const before = process.memoryUsage.rss();
  const rates = { precision: backend.precision, peakFlops, ...measureMemory(backend) };
  const told = await forecastStep(architecture, configuration, training, rates, objective);
  // Checkpoints are written from a copy of all but the gradients.
  const copyBytes = told.stateBytes - 4 * architecture.dimensions(configuration).parameters;
  const memoryBytes = before + heapBytes + told.memoryBytes + copyBytes;
  return { memoryBytes, stepSeconds: told.medianSeconds, runSeconds: told.runSeconds };
}

function hasCheckpoint(runFolder: string): boolean {
  return existsSync(join(checkpointsFolder(runFolder), "latest"));
}

function readTokenizerFile(folder: string): string {
  const file = join(folder, "tokenizer.json");
  if (!existsSync(file)) {
    throw new TilthError(`${folder} has no tokenizer.json: its token shards are missing or incomplete`, {
      remedy: "Run the data step again.",
    });
  }
  return readFileSync(file, "utf8");
}

function generationConfig(endOfText: number): string {
  const config = { bos_token_id: endOfText, eos_token_id: endOfText, do_sample: true, temperature: 0.8, top_p: 0.95 };
  return `${JSON.stringify(config, null, 2)}\n`;
}
