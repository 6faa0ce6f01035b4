import { join, resolve } from "node:path";
import { corpusReport, renderReport, reportNames, writeCorpusReport } from "../../corpus/index.ts";
import type { Command } from "../command.ts";
import { say } from "../terminal.ts";
import { storeOptions, withStore } from "./store.ts";

/** `tilth data report` */
export const report: Command = {
  summary: "what is in a corpus: terminal, HTML, JSON, attribution file",
  usage: "--corpus <folder> [options]",
  options: {
    ...storeOptions,
    out: { describe: `also write ${reportNames.join(", ")} there`, placeholder: "folder" },
  },
  examples: ["tilth data report --corpus corpus --out report"],
  async run(input) {
    const out = input.text("out");
    await withStore(input, async (store) => {
      const figures = out === undefined ? await corpusReport(store) : await writeCorpusReport(store, resolve(out));
      if (out !== undefined) say(`Wrote ${reportNames.map((name) => join(resolve(out), name)).join(", ")}`);
      return input.flag("json") ? `${JSON.stringify(figures)}\n` : renderReport(figures);
    });
  },
};
