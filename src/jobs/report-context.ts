/** What a corpus report tells beside the store: coverage of the registered evaluation sets, and the mixture of the shards. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  coverageOf,
  type DocumentStore,
  loadEvaluationSets,
  mixturePlan,
  parseEvaluationSets,
  type ReportContext,
} from "../corpus/index.ts";
import { TilthError } from "../foundation/index.ts";
import { mixtureFile } from "./shards.ts";

/** Reads the sets (relative paths start at the current folder) and the plan beside the shards, where they are mixed. */
export async function reportContext(
  store: DocumentStore,
  shards: string,
  evaluationSets: readonly unknown[],
): Promise<ReportContext> {
  const sets = await loadEvaluationSets(parseEvaluationSets(evaluationSets), process.cwd());
  const coverage = sets.length === 0 ? [] : await coverageOf(store, sets);
  const file = join(shards, mixtureFile);
  if (!existsSync(file)) return { coverage };
  const plan = mixturePlan.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!plan.success) throw new TilthError(`${file} is damaged`, { remedy: "Write it again with: tilth data mix" });
  return { coverage, mixture: plan.data };
}
