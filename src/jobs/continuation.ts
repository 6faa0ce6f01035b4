/** A run that continues a model: what the base was, what is wise, and what is written down about it. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { modelOf, type RunConfiguration } from "../config/index.ts";
import { readCorpusManifest } from "../corpus/index.ts";
import { TilthError, UsageError } from "../foundation/index.ts";
import { replayedBefore } from "../objectives/index.ts";
import { readTokenizerJson } from "../tokenizer/index.ts";
import { readModelConfiguration, sequencesBefore, trainingConfiguration } from "../training/index.ts";
import { placesOf, type RunDescription, readRunDescription, replayShareOf } from "./run-folder.ts";
import { readShards, type TokenizeInput } from "./tokenize.ts";

/** The run that a checkpoint lies in, where it lies in one. */
export function runOfCheckpoint(
  checkpoint: string,
): { readonly folder: string; readonly description: RunDescription } | undefined {
  const folder = dirname(dirname(checkpoint));
  return existsSync(placesOf(folder).description) ? { folder, description: readRunDescription(folder) } : undefined;
}

/** The base's highest learning rate, where it is known. */
export function baseLearningRateOf({ continueFrom, continuation }: RunConfiguration): number | undefined {
  if (continuation.baseLearningRate !== undefined) return continuation.baseLearningRate;
  const run = continueFrom === undefined ? undefined : runOfCheckpoint(continueFrom);
  const parsed = trainingConfiguration.safeParse(run?.description.training);
  return parsed.success ? parsed.data.learningRate : undefined;
}

/** A continuation that can begin, with what people should know of it. */
export interface PlannedContinuation {
  /** With the learning rate that `peakOfBase` comes to. */
  readonly configuration: RunConfiguration;
  readonly advice: readonly string[];
  readonly warnings: readonly string[];
}

const accept = "Or accept it with: --set continuation.acceptRisk=true";

/**
 * Resolves the learning rate of a run that continues a model and judges its settings. Throws UsageError for what is known to lose
 * what the base knows: no warmup with a fresh optimizer, or a peak above the base's, unless `acceptRisk` is set.
 */
export function planContinuation(run: RunConfiguration): PlannedContinuation {
  const { continueFrom, continuation, training } = run;
  if (continueFrom === undefined) return { configuration: run, advice: [], warnings: [] };
  const base = baseLearningRateOf(run);
  const { peakOfBase, replay, acceptRisk } = continuation;
  if (replay !== undefined) replaySourceOf(replay.from);
  if (peakOfBase !== undefined && base === undefined) {
    throw new UsageError(
      `continuation.peakOfBase is ${peakOfBase}, but ${continueFrom} does not tell the base's learning rate`,
      {
        remedy:
          "Set continuation.baseLearningRate to the highest rate of the base's pre-training, as its paper or card has it.",
      },
    );
  }
  const learningRate = peakOfBase === undefined ? training.learningRate : peakOfBase * base!;
  const { schedule, steps } = training;
  const warnings: string[] = [];
  const refuse = (what: string, remedy: string) => {
    if (!acceptRisk) throw new UsageError(what, { remedy: `${remedy} ${accept}` });
    warnings.push(what);
  };
  if (schedule.warmupSteps === 0) {
    refuse(
      "training.schedule.warmupSteps is 0: the optimizer starts without state, and full steps at once lose what the base knows",
      "Warm up for about 1 % of the steps (Gupta et al. 2023: the length matters little, its being there does).",
    );
  }
  if (base !== undefined && learningRate > base * (1 + 1e-9)) {
    refuse(
      `the highest learning rate, ${learningRate}, is above the base's, ${base}: the base will be forgotten more than its text asks for`,
      "Set continuation.peakOfBase to at most 1 (Ibrahim et al. 2024 re-warm to the base's rate at most).",
    );
  }
  if (schedule.finalShare > 0.5 || (schedule.kind === "warmup-stable-decay" && schedule.decayShare === 0)) {
    warnings.push(
      "the learning rate does not fall at the end: a continued model gains its last share in the decay (Ibrahim et al. 2024)",
    );
  }
  if (replay === undefined) {
    warnings.push(
      "no general text is replayed: expect forgetting; add --replay <the base's run or a corpus> (Ibrahim et al. 2024: a share of 0.05 where the texts are alike, 0.25 to 0.5 where they are not)",
    );
  }
  const advice = [
    `Learning rate: warms up in ${schedule.warmupSteps} of ${steps} steps to ${learningRate.toPrecision(3)}${base === undefined ? "; the base's is not known: set continuation.baseLearningRate to have it compared" : `, ${(learningRate / base).toPrecision(3)} of the base's ${base}`}, and falls to ${schedule.finalShare} of that`,
    "  a higher peak learns the new text better and forgets more: the base's own where there are many tokens and replay, 0.1 to 0.5 of it for little text (Gupta et al. 2023; Ibrahim et al. 2024)",
  ];
  return { configuration: { ...run, training: { ...training, learningRate } }, advice, warnings };
}

/** Where replayed text comes from: shards as they are, or a corpus that is encoded with the run's tokenizer. */
export type ReplaySource =
  | { readonly kind: "shards"; readonly folder: string }
  | { readonly kind: "corpus"; readonly folder: string };

/** Throws UsageError where `from` is none of what may be replayed. */
export function replaySourceOf(from: string): ReplaySource {
  if (existsSync(placesOf(from).description)) return { kind: "corpus", folder: placesOf(from).corpus };
  if (existsSync(join(from, "shards.json"))) return { kind: "shards", folder: from };
  if (existsSync(join(from, "corpus.json"))) return { kind: "corpus", folder: from };
  throw new UsageError(`continuation.replay.from: ${from} is no run, no corpus and no folder of token shards`, {
    remedy:
      "Give the folder of the base's run (it holds run.json), of a corpus (corpus.json) or of shards (shards.json).",
  });
}

/** What the encoding of replayed text is told, or undefined where it is there: shards of the run's own tokenizer. */
export function replayTokenizeInput({
  runFolder,
  continuation,
  tokenizer,
}: RunConfiguration): TokenizeInput | undefined {
  if (continuation.replay === undefined) return undefined;
  const source = replaySourceOf(continuation.replay.from);
  const { shards } = placesOf(runFolder);
  if (source.kind === "shards") {
    requireSameTokenizer(source.folder, shards);
    return undefined;
  }
  return {
    store: source.folder,
    storeKey: readCorpusManifest(source.folder).key,
    folder: replayFolder(runFolder),
    specialTokens: [],
    training: tokenizer,
    tokenizer: join(shards, "tokenizer.json"),
  };
}

/** Where replayed text lies as shards of the run's tokenizer. */
export const replayFolder = (runFolder: string) => join(runFolder, "replay");

function requireSameTokenizer(replay: string, shards: string): void {
  const [theirs, ours] = [replay, shards].map((folder) => readTokenizerJson(join(folder, "tokenizer.json")).toJson());
  if (theirs === ours) return;
  throw new UsageError(
    `continuation.replay.from: the shards in ${replay} were encoded with another tokenizer than the run's`,
    {
      remedy: "Give the corpus that they were made from, or its run: it is encoded again with the run's tokenizer.",
    },
  );
}

/** The replay of a described run for its trainer. */
export function replayOf(runFolder: string, configuration: RunDescription["configuration"]) {
  const share = replayShareOf(configuration);
  if (share === 0) return undefined;
  const { from } = (configuration as { continuation: { replay: { from: string } } }).continuation.replay;
  const source = replaySourceOf(from);
  return { shards: source.kind === "shards" ? source.folder : replayFolder(runFolder), share };
}

/** `continuation.json` of a run and of its checkpoints. Counts of tokens are exact for a run without skipped batches. */
export interface ContinuationFacts {
  readonly base: string;
  readonly baseLearningRate: number | null;
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly steps: number;
  readonly tokens: number;
  readonly replay: { readonly from: string; readonly share: number; readonly tokens: number } | null;
  readonly addedTokens: number;
  readonly context: { readonly before: number; readonly now: number; readonly ropeScaling: unknown };
}

/** What is written down of a run that continues a model; undefined for one from scratch. */
export function continuationFacts(run: RunConfiguration): ContinuationFacts | undefined {
  const { continueFrom, continuation, training, runFolder } = run;
  if (continueFrom === undefined) return undefined;
  const { steps, sequenceLength, schedule, learningRate } = training;
  const { vocabularySize } = readShards(placesOf(runFolder).shards);
  const { architecture, configuration } = modelOf(run, vocabularySize);
  const base = readModelConfiguration(continueFrom);
  const sequences = sequencesBefore(steps + 1, training);
  const { replay } = continuation;
  return {
    base: continueFrom,
    baseLearningRate: baseLearningRateOf(run) ?? null,
    ...{ learningRate, warmupSteps: schedule.warmupSteps, steps, tokens: sequences * sequenceLength },
    replay:
      replay === undefined ? null : { ...replay, tokens: replayedBefore(sequences, replay.share) * sequenceLength },
    addedTokens: vocabularySize - readTokenizerJson(join(continueFrom, "tokenizer.json")).vocabularySize,
    context: {
      before: base.architecture.dimensions(base.configuration).context,
      now: architecture.dimensions(configuration).context,
      ropeScaling: (configuration as { ropeScaling?: unknown }).ropeScaling ?? null,
    },
  };
}

/** The file of `continuationFacts` in a run's folder. */
export const continuationFile = "continuation.json";

/** The facts of a run that continues a model. Throws TilthError where the folder holds none. */
export function readContinuation(runFolder: string): ContinuationFacts {
  const file = join(runFolder, continuationFile);
  if (!existsSync(file)) {
    throw new TilthError(`${runFolder} does not continue a model: ${continuationFile} is missing`, {
      remedy: "Start one with: tilth train --continue-from <folder> --replay <folder>",
    });
  }
  return JSON.parse(readFileSync(file, "utf8")) as ContinuationFacts;
}

/** The facts as lines of a model card. */
export function continuationLines(facts: ContinuationFacts): string[] {
  const { base, baseLearningRate, learningRate, warmupSteps, tokens, replay, addedTokens, context } = facts;
  return [
    `- Continued from: ${base}`,
    `- Learning rate: re-warmed in ${warmupSteps} steps to ${learningRate}${baseLearningRate === null ? "" : ` (the base's highest: ${baseLearningRate})`}; the optimizer started fresh`,
    replay === null
      ? "- Replay: none"
      : `- Replay: ${replay.tokens} of ${tokens} tokens are general text of ${replay.from}`,
    `- Tokenizer: the base's${addedTokens === 0 ? "" : `, with ${addedTokens} tokens more`}`,
    `- Context: ${context.now} tokens${context.now === context.before ? "" : ` instead of ${context.before}, by ${JSON.stringify(context.ropeScaling)}`}`,
  ];
}
