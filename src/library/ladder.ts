/** A ladder of small models, trained one after another. */
import { join } from "node:path";
import type { Ladder } from "../config/index.ts";
import { type Progress, TilthError, writeFileAtomically } from "../foundation/index.ts";
import {
  type LadderShare,
  ladderResults,
  ladderTable,
  prepareLadder,
  type RungResult,
  type TrainEvent,
  trainLadder as trainRungs,
} from "../jobs/index.ts";
import { type StartOptions, startWork, type Work } from "./work.ts";

/** What happens on a ladder; a rung's loss is null where it is trained now, and its loss where it was trained before. */
export type LadderEvent =
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "rung"; readonly name: string; readonly loss: number | null }
  | { readonly kind: "training"; readonly event: TrainEvent };

/** The models of a ladder and the table that `readPoints` reads. */
export interface LadderResult {
  readonly table: string;
  readonly results: readonly RungResult[];
}

/**
 * Trains a ladder as `tilth scale run` does; what was trained before is not trained again. Writes `ladder.csv` into its folder.
 * @param options.share one element of an array that trains the ladder together; the table is then left to `tilth scale merge`
 * @throws InterruptedError where it was stopped: finished models are kept
 */
export function trainLadder(
  ladder: Ladder,
  { share, ...options }: StartOptions & { readonly share?: LadderShare } = {},
): Work<LadderEvent, LadderResult> {
  return startWork(async ({ onEvent, signal }) => {
    if (share === undefined) {
      await prepareLadder(ladder, { onEvent: (progress) => onEvent({ kind: "progress", progress }), signal });
    }
    await trainRungs(ladder, share ?? { element: 1, elements: 1 }, {
      signal,
      onEvent: (event) => onEvent({ kind: "training", event }),
      onRung: ({ rung }, done) => onEvent({ kind: "rung", name: rung.name, loss: done?.loss ?? null }),
    });
    const { results, missing } = ladderResults(ladder);
    const table = join(ladder.base.runFolder, "ladder.csv");
    if (share !== undefined) return { table, results };
    if (missing.length > 0) throw new TilthError(`${missing.length} models of the ladder are not trained`);
    writeFileAtomically(table, ladderTable(results));
    return { table, results };
  }, options);
}
