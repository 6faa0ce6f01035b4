import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  corpusReport,
  type DocumentStore,
  type ReportContext,
  renderReport,
  reportNames,
  writeCorpusReport,
} from "../../corpus/index.ts";
import { placesOf, readRunDescription, reportContext } from "../../jobs/index.ts";
import type { Command, CommandInput } from "../command.ts";
import { say } from "../terminal.ts";
import { evaluationOptions, evaluationSetsOf } from "./evaluation-sets.ts";
import { storeFolder, storeOptions, withStore } from "./store.ts";

/** `tilth data report` */
export const report: Command = {
  summary: "what is in a corpus: terminal, HTML, JSON, attribution file",
  usage: "--corpus <folder> [options]",
  options: {
    ...storeOptions,
    ...evaluationOptions,
    out: { describe: `also write ${reportNames.join(", ")} there`, placeholder: "folder" },
  },
  examples: [
    "tilth data report --corpus corpus --out report",
    "tilth data report --corpus runs/first --evaluation-set quiz=quiz.jsonl:question,answer --out report",
  ],
  async run(input) {
    const out = input.text("out");
    await withStore(input, async (store) => {
      const context = await contextOf(input, store);
      const figures =
        out === undefined ? await corpusReport(store, context) : await writeCorpusReport(store, resolve(out), context);
      if (out !== undefined) say(`Wrote ${reportNames.map((name) => join(resolve(out), name)).join(", ")}`);
      return input.flag("json") ? `${JSON.stringify(figures)}\n` : renderReport(figures);
    });
  },
};

/** The sets that are named here and those that the run registered, where the store is a run's; and its mixture. */
async function contextOf(input: CommandInput, store: DocumentStore): Promise<ReportContext> {
  const runFolder = dirname(storeFolder(input.text("corpus")!));
  const places = placesOf(runFolder);
  const registered = existsSync(places.description)
    ? (readRunDescription(runFolder).configuration.corpus as { evaluationSets?: unknown[] } | undefined)?.evaluationSets
    : [];
  return reportContext(store, places.shards, [...(registered ?? []), ...evaluationSetsOf(input)]);
}
