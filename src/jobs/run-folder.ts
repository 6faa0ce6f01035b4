/** The folder of a run: the same layout for the quickstart and for every other run. */
import { existsSync, readFileSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { packageVersion, TilthError, UsageError, writeFileAtomically } from "../foundation/index.ts";

const precision = z.enum(["auto", "f32", "bf16"]);

/** What `run.json` holds: enough to repeat or resume the run. */
const runDescription = z.strictObject({
  tilth: z.string(),
  created: z.string(),
  /** The resolved configuration: every default and override in it. */
  configuration: z.record(z.string(), z.unknown()),
  device: z.strictObject({ backend: z.string(), threads: z.number().optional(), precision: precision.optional() }),
  model: z.strictObject({ architecture: z.string(), configuration: z.record(z.string(), z.unknown()) }),
  training: z.record(z.string(), z.unknown()),
  objective: z.looseObject({ kind: z.string() }),
  corpusKey: z.string(),
  environment: z.record(z.string(), z.unknown()),
});

export type RunDescription = z.infer<typeof runDescription>;

/** Where things are in a run folder. */
export const placesOf = (runFolder: string) => ({
  description: join(runFolder, "run.json"),
  corpus: join(runFolder, "corpus"),
  shards: join(runFolder, "shards"),
  card: join(runFolder, "card.md"),
  report: join(runFolder, "report"),
  evaluations: join(runFolder, "evaluations"),
  log: join(runFolder, "log.jsonl"),
  checkpoints: join(runFolder, "checkpoints"),
});

/** Writes `run.json`, adding version, time and machine. */
export function writeRunDescription(
  runFolder: string,
  description: Omit<RunDescription, "tilth" | "created" | "environment">,
): void {
  const environment = {
    node: process.version,
    platform: platform(),
    architecture: arch(),
    processor: cpus()[0]?.model ?? "unknown",
    processors: cpus().length,
    memoryBytes: totalmem(),
    instructionSet: process.env.TILTH_ISA ?? "best",
  };
  const whole: RunDescription = {
    tilth: packageVersion(),
    created: new Date().toISOString(),
    ...description,
    environment,
  };
  writeFileAtomically(placesOf(runFolder).description, `${JSON.stringify(whole, null, 2)}\n`);
}

/** Throws TilthError where the folder is no run or its description is damaged. */
export function readRunDescription(runFolder: string): RunDescription {
  const file = placesOf(runFolder).description;
  if (!existsSync(file)) {
    throw new TilthError(`${runFolder} is no run: run.json is missing`, {
      remedy: "Give the folder of a run, e.g. runs/quickstart.",
    });
  }
  try {
    return runDescription.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new TilthError(`${file} is damaged or of another version`, { cause });
  }
}

/** Throws UsageError where a run's folder holds checkpoints that must not be replaced. */
export function requireNoCheckpoints(runFolder: string, replace: boolean): void {
  if (replace || !existsSync(join(placesOf(runFolder).checkpoints, "latest"))) return;
  throw new UsageError(`${runFolder} holds checkpoints of an earlier run`, {
    remedy: `Continue it with: tilth train --resume ${runFolder}. Or choose another runFolder, or add --replace.`,
  });
}

/** The share of replayed sequences in a run's configuration, as `run.json` holds it. */
export function replayShareOf(configuration: RunDescription["configuration"]): number {
  const { continuation } = configuration as { continuation?: { replay?: { share?: number } } };
  return continuation?.replay?.share ?? 0;
}
