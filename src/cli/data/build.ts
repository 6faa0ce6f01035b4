import { resolve } from "node:path";
import { buildCorpus, type CorpusSource } from "../../corpus/index.ts";
import { UsageError } from "../../foundation/index.ts";
import type { Command } from "../command.ts";
import { formatBytes, interruptSignal, progressLine } from "../terminal.ts";
import { storeOptions } from "./store.ts";

/** `tilth data build` */
export const build: Command = {
  summary: "read sources, clean, filter, deduplicate, and write the document store",
  usage: "--npm <folder>|--folder <folder> … --corpus <folder> [options]",
  options: {
    ...storeOptions,
    npm: { describe: "read the packages of a node_modules folder (repeatable)", placeholder: "folder", multiple: true },
    folder: {
      describe: "read text, Markdown and code below a folder (repeatable)",
      placeholder: "folder",
      multiple: true,
    },
    accept: {
      describe: "licence decisions that may train (repeatable): allow, attribute, review",
      placeholder: "decision",
      multiple: true,
    },
  },
  examples: ["tilth data build --npm node_modules --corpus corpus"],
  async run(input) {
    const sources: CorpusSource[] = [
      ...input.list("npm").map((path): CorpusSource => ({ reader: "npm", path })),
      ...input.list("folder").map((path): CorpusSource => ({ reader: "folder", path })),
    ];
    if (sources.length === 0) throw new UsageError("nothing to read: give --npm or --folder");
    const accept = input.list("accept");
    const unknown = accept.find((one) => !["allow", "attribute", "review"].includes(one));
    if (unknown !== undefined) throw new UsageError(`--accept is "${unknown}", expected allow, attribute or review`);
    const progress = progressLine();
    const corpus = await buildCorpus({
      sources,
      folder: resolve(input.text("corpus")!),
      settings: accept.length === 0 ? {} : { licences: { accept: accept as ("allow" | "attribute" | "review")[] } },
      onProgress: progress.update,
      signal: interruptSignal("stopping; finished parts are kept"),
    });
    progress.end();
    process.stdout.write(
      input.flag("json")
        ? `${JSON.stringify(corpus)}\n`
        : `${corpus.documents} documents (${formatBytes(corpus.bytes)}), ${corpus.kept} kept (${formatBytes(corpus.keptBytes)}) in ${corpus.folder}\n`,
    );
  },
};
