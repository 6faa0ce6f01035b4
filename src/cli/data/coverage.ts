import { coverageOf, loadEvaluationSets, parseEvaluationSets, renderCoverage } from "../../corpus/index.ts";
import { UsageError } from "../../foundation/index.ts";
import type { Command } from "../command.ts";
import { progressLine } from "../terminal.ts";
import { evaluationOptions, evaluationSetsOf } from "./evaluation-sets.ts";
import { storeOptions, withStore } from "./store.ts";

/** `tilth data coverage` */
export const coverage: Command = {
  summary: "how much of the words, n-grams and topics of evaluation sets the training documents cover",
  usage: "--corpus <folder> --evaluation-set <name=file:field,field> … [options]",
  options: { ...storeOptions, ...evaluationOptions },
  examples: ["tilth data coverage --corpus corpus --evaluation-set quiz=quiz.jsonl:question,answer"],
  async run(input) {
    const named = evaluationSetsOf(input);
    if (named.length === 0) throw new UsageError("which evaluation sets? Give --evaluation-set name=file:field,field");
    const sets = await loadEvaluationSets(parseEvaluationSets(named), process.cwd());
    await withStore(input, async (store) => {
      const progress = progressLine();
      const found = await coverageOf(store, sets, (done) =>
        progress.update({ stage: "reading", done, unit: "documents" }),
      );
      progress.end();
      return input.flag("json") ? `${JSON.stringify(found)}\n` : renderCoverage(found);
    });
  },
};
