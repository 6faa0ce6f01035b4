import { resolve } from "node:path";
import { isPairsRun, loadRun } from "../../config/index.ts";
import {
  buildPart,
  type CorpusBuildOptions,
  type CorpusListing,
  type CorpusSourceInput,
  listCorpus,
  parsePart,
} from "../../corpus/index.ts";
import { UsageError } from "../../foundation/index.ts";
import { buildRecordedCorpus, placesOf } from "../../jobs/index.ts";
import type { Command, CommandInput } from "../command.ts";
import { formatBytes, interruptSignal, progressLine } from "../terminal.ts";
import { evaluationOptions, evaluationSetsOf } from "./evaluation-sets.ts";
import { namedSource, readerNames } from "./sources.ts";
import { describeBuild, storeOptions } from "./store.ts";

const repeatUnits = ["paragraphs", "lines", "substrings"];

/** `tilth data build` */
export const build: Command = {
  summary: "read sources, clean, filter, deduplicate, and write the document store",
  usage:
    "--npm <folder>|--folder <folder>|--read <reader>:<path> … --corpus <folder> [options]  |  <configuration file> [options]",
  options: {
    ...storeOptions,
    npm: { describe: "read the packages of a node_modules folder (repeatable)", placeholder: "folder", multiple: true },
    folder: {
      describe: "read text, Markdown, pages and code below a folder (repeatable)",
      placeholder: "folder",
      multiple: true,
    },
    read: {
      describe: `read files by a named reader (repeatable): ${readerNames.join(", ")}`,
      placeholder: "reader:path",
      multiple: true,
    },
    accept: {
      describe: "licence decisions that may train (repeatable): allow, attribute, review",
      placeholder: "decision",
      multiple: true,
    },
    "opt-out": { describe: "a file of domains that must not train, one a line", placeholder: "file" },
    against: {
      describe: "a corpus that was trained on before: reject copies of what it holds (repeatable)",
      placeholder: "folder",
      multiple: true,
    },
    "remove-repeats": {
      describe: "remove repeats inside documents (repeatable): paragraphs, lines, substrings",
      placeholder: "unit",
      multiple: true,
    },
    ...evaluationOptions,
    partition: { describe: "do only part i of n; tilth data merge joins them", placeholder: "i/n" },
    "dry-run": { describe: "list what would be read, by source, and stop" },
    workers: { describe: "worker threads; all processors if left out", placeholder: "number" },
  },
  examples: [
    "tilth data build --npm node_modules --corpus corpus",
    "tilth data build --read warc:crawl --read jsonl:forum.jsonl.zst --opt-out no.txt --corpus corpus",
    "tilth data build --folder notes --against old-corpus --evaluation-set quiz=quiz.jsonl:question,answer",
    "tilth data build tilth.config.ts   # the corpus of that run, in its folder",
    "tilth data build --folder notes --partition 1/4   # then 2/4, 3/4, 4/4, then: tilth data merge",
  ],
  async run(input) {
    const progress = progressLine();
    const options = {
      ...(await corpusToBuild(input)),
      workers: input.number("workers", { minimum: 0, maximum: 256, whole: true }),
      onProgress: progress.update,
      signal: interruptSignal("stopping; finished parts are kept"),
    };
    if (input.flag("dry-run")) {
      const listing = await listCorpus(options);
      progress.end();
      process.stdout.write(input.flag("json") ? `${JSON.stringify(listing)}\n` : describeListing(listing));
      return;
    }
    const partition = input.text("partition");
    if (partition !== undefined) {
      const outcome = await buildPart(options, parsePart(partition));
      progress.end();
      process.stdout.write(
        input.flag("json")
          ? `${JSON.stringify(outcome)}\n`
          : `part ${outcome.part} of ${outcome.parts}: ${outcome.documents} documents (${formatBytes(outcome.bytes)}); when all are done: tilth data merge --corpus ${options.folder}\n`,
      );
      return;
    }
    const corpus = await buildRecordedCorpus(options);
    progress.end();
    process.stdout.write(input.flag("json") ? `${JSON.stringify(corpus)}\n` : describeBuild(corpus));
  },
};

function describeListing({ documents, bytes, sources, skipped }: CorpusListing): string {
  const shown = 20;
  const left = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  return [
    `${documents} documents (${formatBytes(bytes)}) would be read from ${sources.length} sources`,
    ...sources.slice(0, shown).map((one) => `  ${one.source}: ${one.documents} documents, ${formatBytes(one.bytes)}`),
    ...(sources.length > shown ? [`  and ${sources.length - shown} more`] : []),
    ...(left.length === 0 ? [] : [`passed over: ${left.join(", ")}`]),
    "",
  ].join("\n");
}

/** What the command line asks to build: the corpus of a run's configuration, or sources and settings one by one. */
export async function corpusToBuild(input: CommandInput): Promise<CorpusBuildOptions> {
  const sources: CorpusSourceInput[] = [
    ...input.list("npm").map((path): CorpusSourceInput => ({ reader: "npm", path })),
    ...input.list("folder").map((path): CorpusSourceInput => ({ reader: "folder", path })),
    ...input.list("read").map(namedSource),
  ];
  const [file, ...more] = input.positionals;
  if (file !== undefined) {
    if (more.length > 0 || sources.length > 0) {
      throw new UsageError("a configuration file names the sources: give it alone, or sources without it");
    }
    const run = await loadRun(resolve(file), []);
    if (isPairsRun(run)) throw new UsageError(`${file} trains on images with captions, which have no document store`);
    return { ...run.corpus, folder: placesOf(run.runFolder).corpus };
  }
  if (sources.length === 0) {
    throw new UsageError("nothing to read: give --npm, --folder, --read or a configuration file");
  }
  const accept = input.list("accept");
  const unknown = accept.find((one) => !["allow", "attribute", "review"].includes(one));
  if (unknown !== undefined) throw new UsageError(`--accept is "${unknown}", expected allow, attribute or review`);
  const repeats = input.list("remove-repeats");
  const unit = repeats.find((one) => !repeatUnits.includes(one));
  if (unit !== undefined) {
    throw new UsageError(`--remove-repeats is "${unit}", expected ${repeatUnits.join(", ")}`);
  }
  return {
    sources,
    folder: resolve(input.text("corpus")!),
    settings: {
      licences: {
        ...(accept.length === 0 ? {} : { accept: accept as ("allow" | "attribute" | "review")[] }),
        ...(input.text("opt-out") === undefined ? {} : { optOut: { domainFile: input.text("opt-out") } }),
      },
      ...(repeats.length === 0 ? {} : { deduplication: Object.fromEntries(repeats.map((one) => [one, {}])) }),
    },
    against: input.list("against"),
    evaluationSets: evaluationSetsOf(input),
  };
}
