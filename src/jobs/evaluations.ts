/** What evaluations of a run's checkpoints found: kept in the run's folder, for the dashboard and whoever comes later. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { canonicalJson, hashOf, messageOf, packageVersion, writeFileAtomically } from "../foundation/index.ts";
import { placesOf } from "./run-folder.ts";

const keptEvaluation = z.object({
  /** The command that found it, e.g. `eval --task blimp`. */
  name: z.string(),
  /** Name of the checkpoint's folder. */
  checkpoint: z.string(),
  created: z.string(),
  tilth: z.string(),
  settings: z.record(z.string(), z.unknown()),
  /** Figures as the command's --json prints them. */
  result: z.record(z.string(), z.unknown()),
});

/** One evaluation of one checkpoint. */
export type KeptEvaluation = z.infer<typeof keptEvaluation>;

/**
 * Keeps an evaluation where the checkpoint lies in a run's folder; the same evaluation again takes its place. What cannot be
 * written is said by `warn` and lost: the caller has the figures.
 */
export function keepEvaluation(
  checkpoint: string,
  { name, settings, result }: { name: string; settings: Record<string, unknown>; result: object },
  warn: (message: string) => void,
): void {
  const folder = resolve(checkpoint);
  const run = dirname(dirname(folder));
  const places = placesOf(run);
  if (dirname(folder) !== places.checkpoints || !existsSync(places.description)) return;
  const kept: KeptEvaluation = {
    ...{ name, checkpoint: basename(folder), created: new Date().toISOString(), tilth: packageVersion() },
    ...{ settings, result: result as Record<string, unknown> },
  };
  const key = hashOf(canonicalJson([kept.checkpoint, name, settings])).slice(0, 12);
  try {
    mkdirSync(places.evaluations, { recursive: true });
    writeFileAtomically(join(places.evaluations, `${kept.checkpoint}-${key}.json`), `${JSON.stringify(kept)}\n`);
  } catch (error) {
    warn(`the evaluation could not be kept in ${places.evaluations}: ${messageOf(error)}`);
  }
}

/** All evaluations kept in a run's folder, by checkpoint and name; a damaged file is left out. */
export function readEvaluations(runFolder: string): KeptEvaluation[] {
  const { evaluations } = placesOf(runFolder);
  if (!existsSync(evaluations)) return [];
  return readdirSync(evaluations)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => {
      try {
        return [keptEvaluation.parse(JSON.parse(readFileSync(join(evaluations, name), "utf8")))];
      } catch {
        return [];
      }
    })
    .sort((a, b) => a.checkpoint.localeCompare(b.checkpoint) || a.name.localeCompare(b.name));
}
