/** Trains the rungs of a ladder, each once, and gathers what they reached. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Ladder, type LadderRun, modelOf, objectiveOf } from "../config/index.ts";
import { canonicalJson, hashOf, TilthError, writeFileAtomically } from "../foundation/index.ts";
import { trainingFlopsPerToken } from "../models/index.ts";
import { RunLog } from "../training/index.ts";
import { buildRunCorpus, type RunHooks, tokenizeRun } from "./run.ts";
import { placesOf } from "./run-folder.ts";
import { runJob } from "./run-job.ts";
import { readShards } from "./tokenize.ts";
import { type TrainEvent, trainJob } from "./train.ts";

const rungResult = z.strictObject({
  /** Of everything that decides the numbers. */
  key: z.string(),
  name: z.string(),
  /** All of them, the embedding too. */
  parameters: z.number(),
  tokens: z.number(),
  /** Training FLOPs with attention (PaLM, appendix B). */
  flops: z.number(),
  /** On the validation shard at the end of the run, nats a token. */
  loss: z.number(),
  learningRate: z.number(),
  steps: z.number(),
  seconds: z.number(),
});

/** What a rung reached. */
export type RungResult = Readonly<z.infer<typeof rungResult>>;

/** Which rungs to train: number `element` of `elements` takes every `elements`-th one. */
export interface LadderShare {
  readonly element: number;
  readonly elements: number;
}

/** Builds the ladder's corpus, tokenizer and shards in its folder, or finds them there. */
export async function prepareLadder({ base }: Ladder, hooks: Parameters<typeof buildRunCorpus>[1]): Promise<void> {
  await tokenizeRun(base, await buildRunCorpus(base, hooks), hooks);
}

/**
 * Trains the share's rungs that are not done yet; one that was interrupted goes on from its last checkpoint. Throws TilthError
 * where the shards are missing or a rung asks for more tokens than they hold.
 */
export async function trainLadder(
  ladder: Ladder,
  share: LadderShare,
  hooks: RunHooks<TrainEvent> & { onRung(run: LadderRun, done: RungResult | undefined): void; peakFlops?: number },
): Promise<void> {
  const shards = placesOf(ladder.base.runFolder).shards;
  const manifest = readShards(shards);
  for (const [index, run] of ladder.runs.entries()) {
    if (index % share.elements !== share.element - 1) continue;
    const { rung, configuration } = run;
    const done = readResult(run, manifest.key);
    hooks.onRung(run, done);
    if (done !== undefined) continue;
    const { architecture, configuration: sizes } = modelOf(configuration, manifest.vocabularySize);
    const { runFolder } = configuration;
    mkdirSync(runFolder, { recursive: true });
    let loss = Number.NaN;
    const began = performance.now();
    await runJob(
      trainJob,
      {
        ...{ runFolder, shards, device: configuration.device, training: configuration.training },
        model: { architecture: architecture.name, configuration: sizes },
        objective: objectiveOf(configuration).settings,
        resume: existsSync(join(placesOf(runFolder).checkpoints, "latest")),
        files: {},
        peakFlops: hooks.peakFlops,
      },
      {
        signal: hooks.signal,
        onEvent(event) {
          if (event.kind === "record" && event.record.kind === "validation") loss = event.record.loss;
          hooks.onEvent(event);
        },
      },
    );
    const dimensions = architecture.dimensions(sizes);
    const { tokens, learningRate, steps, name } = rung;
    // Resumed after its last validation, the run itself reports nothing more: its log has the loss.
    const result: RungResult = {
      ...{ key: keyOf(run, manifest.key), name, parameters: dimensions.parameters, tokens, learningRate, steps },
      flops: tokens * trainingFlopsPerToken(dimensions, configuration.training.sequenceLength),
      loss: Number.isNaN(loss) ? loggedLoss(runFolder, steps) : loss,
      seconds: (performance.now() - began) / 1000,
    };
    writeFileAtomically(resultFile(runFolder), `${JSON.stringify(result, null, 2)}\n`);
  }
}

/** The results of all rungs, and the names of those that are still to be trained. */
export function ladderResults(ladder: Ladder): { readonly results: RungResult[]; readonly missing: string[] } {
  const { key } = readShards(placesOf(ladder.base.runFolder).shards);
  const found = ladder.runs.map((run) => readResult(run, key));
  return {
    results: found.filter((one) => one !== undefined),
    missing: ladder.runs.filter((_, index) => found[index] === undefined).map(({ rung }) => rung.name),
  };
}

/** Results as the table that `tilth scale fit` reads. */
export function ladderTable(results: readonly RungResult[]): string {
  const columns = ["name", "parameters", "tokens", "flops", "loss", "learningRate", "steps", "seconds"] as const;
  return [columns, ...results.map((one) => columns.map((column) => one[column]))]
    .map((row) => `${row.join()}\n`)
    .join("");
}

function keyOf({ configuration }: LadderRun, shards: string): string {
  const { model, objective, training, device } = configuration;
  return hashOf(canonicalJson([model, objective, training, device.precision]), shards);
}

const resultFile = (runFolder: string) => join(runFolder, "result.json");

function readResult(run: LadderRun, shards: string): RungResult | undefined {
  const file = resultFile(run.configuration.runFolder);
  if (!existsSync(file)) return undefined;
  const parsed = rungResult.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (parsed.success && parsed.data.key === keyOf(run, shards)) return parsed.data;
  throw new TilthError(`${file} is of another ladder: its settings or its corpus have changed`, {
    remedy: `Remove ${run.configuration.runFolder}, or choose another folder with --run.`,
  });
}

function loggedLoss(runFolder: string, step: number): number {
  const record = new RunLog(runFolder).read().find((one) => one.kind === "validation" && one.step === step);
  if (record?.kind === "validation") return record.loss;
  throw new TilthError(`${runFolder} is trained, but its log has no validation of step ${step}`, {
    remedy: "Remove the folder: the rung is then trained again.",
  });
}
