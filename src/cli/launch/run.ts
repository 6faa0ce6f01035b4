/** The run that ranks train: its folder, and the program that each of them runs. */
import { join, resolve } from "node:path";
import { packageRoot } from "../../foundation/index.ts";
import { readRunDescription } from "../../jobs/index.ts";
import {
  contrastiveConfiguration,
  requireEvenPairs,
  requireEvenShares,
  trainingConfiguration,
} from "../../training/index.ts";
import type { CommandInput } from "../command.ts";
import { prepareNew } from "../train.ts";

/** The command line of this program. */
export const tilth = (...parameters: string[]) => [
  process.execPath,
  join(packageRoot(), "dist", "cli.js"),
  ...parameters,
];

/** What a rank runs. A new run has its overrides in its description; one that is resumed gets them from the command line. */
export function rankProgram(input: CommandInput, runFolder: string): string[] {
  const overrides = input.text("resume") === undefined ? [] : input.list("set");
  return tilth("train", "--resume", runFolder, ...overrides.flatMap((override) => ["--set", override]));
}

/** Throws UsageError where that many ranks cannot share the steps of the run evenly: one that refuses would leave the others waiting. */
export function requireShares(runFolder: string, ranks: number): void {
  const { objective, training } = readRunDescription(runFolder);
  if (objective.kind === "contrastive") requireEvenPairs(contrastiveConfiguration.parse(training), ranks);
  else requireEvenShares(trainingConfiguration.parse(training), ranks);
}

/** The run's folder, with corpus and shards in it: ranks only train. */
export async function runFolderOf(input: CommandInput): Promise<string> {
  const resumed = input.text("resume");
  if (resumed === undefined) return prepareNew(input);
  readRunDescription(resolve(resumed));
  return resolve(resumed);
}
