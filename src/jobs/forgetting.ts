/** What a continued run has learned and lost: beside the model that it continued, and beside training from scratch at equal compute. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openDocumentStore } from "../corpus/index.ts";
import { type ComparedBitsPerByte, compareBitsPerByte, type DocumentScores } from "../evaluation/index.ts";
import { type Progress, TilthError, UsageError, writeFileAtomically } from "../foundation/index.ts";
import {
  amendCheckpoint,
  latestCheckpoint,
  RunLog,
  readModelConfiguration,
  readState,
  trainingConfiguration,
} from "../training/index.ts";
import { type ContinuationFacts, readContinuation, replaySourceOf, runOfCheckpoint } from "./continuation.ts";
import type { DeviceOptions } from "./job.ts";
import { placesOf, type RunDescription, readRunDescription } from "./run-folder.ts";
import { runJob } from "./run-job.ts";
import { scoreDocumentsJob } from "./score-documents.ts";
import { readShards } from "./tokenize.ts";
import { type TrainEvent, trainJob } from "./train.ts";

/** Where the from-scratch run of a continued run goes, in its folder. */
export const fromScratchFolder = (runFolder: string) => join(runFolder, "from-scratch");

export interface ForgettingOptions {
  /** Folder of the general corpus; the one that was replayed, or the base's own, if left out. */
  readonly general?: string;
  /** Folder of the domain's corpus; the run's own if left out. */
  readonly domain?: string;
  /** Whether a run from scratch is trained beside it. */
  readonly fromScratch: boolean;
  /** UTF-8 bytes of held-out documents of each corpus that are scored at most; all if left out. */
  readonly maximumBytes?: number;
  readonly onScoring: (progress: Progress) => void;
  readonly onTraining: (event: TrainEvent) => void;
  readonly signal?: AbortSignal;
}

/** Bits per byte of held-out documents of one corpus: `first` is the base, `second` the continued model. */
export interface ComparedCorpus extends ComparedBitsPerByte {
  readonly corpus: string;
  readonly documents: number;
  readonly bytes: number;
}

/** A point of the curves: the domain's validation loss during training, in bits per byte. */
export interface CurvePoint {
  readonly run: "continued" | "from scratch";
  readonly step: number;
  readonly tokens: number;
  readonly bitsPerByte: number;
}

/** `forgetting.json` of a run. */
export interface ForgettingReport {
  readonly run: string;
  readonly checkpoint: string;
  readonly continuation: ContinuationFacts;
  /** Tokens of general text that the run's log counts. */
  readonly replayedTokens: number;
  /** Tokens of a scored window, and those scored by every window after the first. */
  readonly window: number;
  readonly stride: number;
  readonly domain: ComparedCorpus;
  readonly general: ComparedCorpus;
  /** On the domain: `first` is the model from scratch, `second` the continued one; null where none was trained. */
  readonly fromScratch: (ComparedBitsPerByte & { readonly steps: number; readonly learningRate: number }) | null;
  readonly curve: readonly CurvePoint[];
}

/** Scores base, continued model and model from scratch, which is trained first where it is not there yet, or resumed. */
export async function forgettingReport(runFolder: string, options: ForgettingOptions): Promise<ForgettingReport> {
  const continuation = readContinuation(runFolder);
  const description = readRunDescription(runFolder);
  const { kind } = description.objective;
  if (kind !== "next-token") {
    throw new UsageError(
      `${runFolder} has the objective ${kind}: bits per byte are those of models of the next token`,
      {
        remedy: "Compare its checkpoints by probes or tasks: tilth eval --help",
      },
    );
  }
  const training = trainingConfiguration.parse(description.training);
  const { checkpoint, steps } = await finishedCheckpoint(runFolder, training.steps);
  const places = placesOf(runFolder);
  const [domain, general] = [options.domain ?? places.corpus, options.general ?? generalCorpus(continuation)];
  const learningRate = continuation.baseLearningRate ?? training.learningRate;
  const scratch = options.fromScratch
    ? await trainFromScratch(runFolder, description, { steps, learningRate }, options)
    : undefined;

  const base = readModelConfiguration(continuation.base);
  // All are scored within what the base was trained to see.
  const window = Math.min(base.architecture.dimensions(base.configuration).context, training.sequenceLength);
  const stride = Math.max(1, window >> 1);
  const device: DeviceOptions = { ...description.device, precision: "f32" };
  const score = (model: string, store: string, what: string) =>
    runJob(
      scoreDocumentsJob,
      { checkpoint: model, store, device, window, stride, maximumBytes: options.maximumBytes },
      { onEvent: (progress) => options.onScoring({ ...progress, stage: `scoring ${what}` }), signal: options.signal },
    );
  const compared = async (store: string, what: string) => {
    const before = await score(continuation.base, store, `the base on ${what} text`);
    return { before, after: await score(checkpoint, store, `the continued model on ${what} text`) };
  };
  const onDomain = await compared(domain, "domain");
  const onGeneral = await compared(general, "general");
  const scratchScores =
    scratch === undefined ? undefined : await score(scratch, domain, "the model from scratch on domain text");
  const records = new RunLog(runFolder).read();
  return {
    run: runFolder,
    checkpoint,
    continuation,
    replayedTokens: records.reduce((sum, one) => sum + (one.kind === "step" ? (one.replayedTokens ?? 0) : 0), 0),
    ...{ window, stride },
    domain: { corpus: domain, ...sizeOf(onDomain.before), ...compareBitsPerByte(onDomain.before, onDomain.after) },
    general: { corpus: general, ...sizeOf(onGeneral.before), ...compareBitsPerByte(onGeneral.before, onGeneral.after) },
    fromScratch:
      scratchScores === undefined
        ? null
        : { ...compareBitsPerByte(scratchScores, onDomain.after), steps, learningRate },
    curve: await curveOf(runFolder, scratch !== undefined, training.batchSequences * training.sequenceLength),
  };
}

/** Writes the report and its plot into the run's folder, and a section of the model card into its last checkpoint if `markdown` is given. */
export async function writeForgettingReport(
  report: ForgettingReport,
  plot: string,
  markdown: string | undefined,
): Promise<void> {
  const { run, checkpoint } = report;
  const json = `${JSON.stringify(report, null, 2)}\n`;
  writeFileAtomically(join(run, "forgetting.json"), json);
  writeFileAtomically(join(run, "forgetting.svg"), plot);
  if (markdown === undefined) return;
  const card = `${withoutSection(readFileSync(join(checkpoint, "README.md"), "utf8"))}\n${markdown}`;
  await amendCheckpoint(checkpoint, { "README.md": card, "forgetting.json": json });
}

/** The heading of the report in a model card. It comes last there. */
export const forgettingHeading = "## What continuing gained and lost";

function withoutSection(card: string): string {
  const at = card.indexOf(`\n${forgettingHeading}`);
  return at === -1 ? card : card.slice(0, at);
}

/** The last checkpoint of a run that came to its end, and the steps that it took. */
async function finishedCheckpoint(runFolder: string, wanted: number): Promise<{ checkpoint: string; steps: number }> {
  const checkpoint = await latestCheckpoint(runFolder, () => {});
  const stopped = new RunLog(runFolder).read().some(({ kind }) => kind === "early-stop");
  const steps = checkpoint === undefined ? 0 : readState(checkpoint).step;
  if (checkpoint !== undefined && (steps === wanted || stopped)) return { checkpoint, steps };
  throw new TilthError(`${runFolder} has not come to its end, step ${wanted}`, {
    remedy: `Finish it first: tilth train --resume ${runFolder}`,
  });
}

function generalCorpus({ base, replay }: ContinuationFacts): string {
  const source = replay === null ? undefined : replaySourceOf(replay.from);
  if (source?.kind === "corpus") return source.folder;
  const run = runOfCheckpoint(base);
  if (run !== undefined && existsSync(placesOf(run.folder).corpus)) return placesOf(run.folder).corpus;
  throw new UsageError(`what general text is does not follow from the run: ${base} lies in no run with a corpus`, {
    remedy: "Name a corpus of general text: --general <folder>. Build one with: tilth data build",
  });
}

/**
 * Trains the same model from random weights on the same shards, with as many steps of as many tokens as the continued run, at the base's
 * learning rate. Returns its last checkpoint.
 */
async function trainFromScratch(
  runFolder: string,
  { device, model, training, objective }: RunDescription,
  settings: { readonly steps: number; readonly learningRate: number },
  { onTraining, signal }: ForgettingOptions,
): Promise<string> {
  const folder = fromScratchFolder(runFolder);
  mkdirSync(folder, { recursive: true });
  // Equal compute: it must not end before the continued run did.
  const { earlyStop: _, ...same } = training;
  const { shards } = placesOf(runFolder);
  const resume = (await latestCheckpoint(folder, () => {})) !== undefined;
  // What an attempt without a checkpoint logged is done again.
  if (!resume) rmSync(placesOf(folder).log, { force: true });
  // Its configuration is checked again: one that is finished is only opened.
  const { checkpoint } = await runJob(
    trainJob,
    {
      ...{ runFolder: folder, shards, device, model, objective, resume, files: {} },
      training: { ...same, ...settings, keepCheckpoints: 1 },
    },
    { onEvent: onTraining, signal },
  );
  return checkpoint;
}

function sizeOf({ bytes }: DocumentScores) {
  return { documents: bytes.length, bytes: bytes.reduce((sum, one) => sum + one, 0) };
}

async function curveOf(runFolder: string, withScratch: boolean, tokensOfStep: number): Promise<CurvePoint[]> {
  const places = placesOf(runFolder);
  const store = await openDocumentStore(places.corpus);
  try {
    const [row] = await store.query(
      "SELECT CAST(sum(bytes) AS DOUBLE) AS bytes FROM documents WHERE kept AND split = 'validation'",
    );
    const tokensPerByte = readShards(places.shards).validationTokens / Number(row.bytes);
    const pointsOf = (folder: string, run: CurvePoint["run"]) =>
      new RunLog(folder).read().flatMap((one): CurvePoint[] => {
        if (one.kind !== "validation") return [];
        const { step, loss } = one;
        return [{ run, step, tokens: step * tokensOfStep, bitsPerByte: (loss / Math.LN2) * tokensPerByte }];
      });
    return [
      ...pointsOf(runFolder, "continued"),
      ...(withScratch ? pointsOf(fromScratchFolder(runFolder), "from scratch") : []),
    ];
  } finally {
    store.close();
  }
}
