import { join } from "node:path";
import type { Ladder } from "../../config/index.ts";
import { TilthError, writeFileAtomically } from "../../foundation/index.ts";
import { ladderResults, ladderTable } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { say } from "../terminal.ts";
import { ladderOf, ladderOptions } from "./run.ts";

/** `tilth scale merge` */
export const merge: Command = {
  summary: "gather the results of a ladder whose models were trained as elements of an array",
  usage: "<ladder file> [options]",
  options: ladderOptions,
  examples: ["tilth scale merge ladder.yaml"],
  async run(input) {
    writeLadderTable(await ladderOf(input), input.flag("json"));
  },
};

/** Writes `ladder.csv` into the ladder's folder. Throws TilthError naming the models that are not trained yet. */
export function writeLadderTable(ladder: Ladder, json: boolean): void {
  const { results, missing } = ladderResults(ladder);
  if (missing.length > 0) {
    throw new TilthError(
      `${missing.length} of ${ladder.runs.length} models are not trained yet: ${missing.join(", ")}`,
      {
        remedy: "Run tilth scale run again: it trains what is missing.",
      },
    );
  }
  const file = join(ladder.base.runFolder, "ladder.csv");
  writeFileAtomically(file, ladderTable(results));
  if (json) process.stdout.write(`${JSON.stringify({ table: file, results })}\n`);
  say(`${results.length} models in ${file}\nNext: tilth scale fit ${file} --hold-out --plot law.svg --out law.json`);
}
