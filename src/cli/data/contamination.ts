import { resolve } from "node:path";
import { contaminationOf, loadEvaluationSets, parseEvaluationSets, type SetContamination } from "../../corpus/index.ts";
import { UsageError, writeFileAtomically } from "../../foundation/index.ts";
import type { Command } from "../command.ts";
import { formatCount, progressLine } from "../terminal.ts";
import { evaluationOptions, evaluationSetsOf } from "./evaluation-sets.ts";
import { storeOptions, withStore } from "./store.ts";

/** `tilth data contamination` */
export const contamination: Command = {
  summary: "which items of evaluation sets a corpus holds, with the matching spans",
  usage: "--corpus <folder> --evaluation-set <name=file:field,field> … [options]",
  options: {
    ...storeOptions,
    ...evaluationOptions,
    out: { describe: "write the whole result to this JSON file", placeholder: "file" },
    show: { describe: "items of each set to show", placeholder: "number", initial: "3" },
  },
  examples: ["tilth data contamination --corpus corpus --evaluation-set quiz=quiz.jsonl:question,answer"],
  async run(input) {
    const named = evaluationSetsOf(input);
    if (named.length === 0) throw new UsageError("which evaluation sets? Give --evaluation-set name=file:field,field");
    const shown = input.number("show", { minimum: 0, maximum: 10_000, whole: true }) ?? 3;
    const sets = await loadEvaluationSets(parseEvaluationSets(named), process.cwd());
    await withStore(input, async (store) => {
      const progress = progressLine();
      const total = store.manifest.counts.kept;
      const found = await contaminationOf(store, sets, (done) =>
        progress.update({ stage: "searching", done, total, unit: "documents" }),
      );
      progress.end();
      const out = input.text("out");
      if (out !== undefined) writeFileAtomically(resolve(out), `${JSON.stringify(found, null, 2)}\n`);
      return input.flag("json") ? `${JSON.stringify(found)}\n` : found.map((set) => describe(set, shown)).join("\n");
    });
  },
};

function describe(set: SetContamination, shown: number): string {
  const { name, items, contaminated, tooShort, ngramWords } = set;
  const share = items === 0 ? 0 : (100 * contaminated.length) / items;
  const lines = [
    `${name}: ${formatCount(contaminated.length)} of ${formatCount(items)} items (${share.toFixed(2)} %) share ${ngramWords} words with a training document${tooShort === 0 ? "" : `; ${tooShort} are too short to tell`}`,
    ...contaminated.slice(0, shown).map(({ item, share, spans }) => {
      const [{ matched, document }] = spans;
      return `  item ${item}, ${(100 * share).toFixed(0)} %, document ${document}: "${matched.replace(/\s+/g, " ").slice(0, 100)}"`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}
