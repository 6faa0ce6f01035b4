import { join, resolve } from "node:path";
import {
  buildCorpus,
  type CorpusSource,
  corpusReport,
  type DocumentStore,
  documentStory,
  openDocumentStore,
  renderReport,
  renderSample,
  renderStory,
  reportNames,
  sampleDocuments,
  writeCorpusReport,
} from "../corpus/index.ts";
import { UsageError } from "../foundation/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { formatBytes, interruptSignal, progressLine, say } from "./terminal.ts";

const actions: Readonly<Record<string, (input: CommandInput, subject: string | undefined) => Promise<void>>> = {
  build: (input) => build(input),
  report: (input) => report(input),
  why: (input, subject) => {
    if (subject === undefined) throw new UsageError("which document? Give the first digits of its id, or its path.");
    return why(input, subject);
  },
  sample: (input) => sample(input),
};

/** `tilth data build|report|why|sample` */
export const data: Command = {
  summary: "build a corpus, report on it, explain a document, look at some",
  usage: "build|report|why <id or path>|sample --corpus <folder> [options]",
  options: {
    corpus: { describe: "folder of the document store", placeholder: "folder", initial: "corpus" },
    npm: {
      describe: "build: read the packages of a node_modules folder (repeatable)",
      placeholder: "folder",
      multiple: true,
    },
    folder: {
      describe: "build: read text, Markdown and code below a folder (repeatable)",
      placeholder: "folder",
      multiple: true,
    },
    accept: {
      describe: "build: licence decisions that may train (repeatable): allow, attribute, review",
      placeholder: "decision",
      multiple: true,
    },
    out: { describe: `report: also write ${reportNames.join(", ")} there`, placeholder: "folder" },
    kept: { describe: "sample: only kept documents" },
    rejected: { describe: "sample: only rejected documents" },
    reason: { describe: "sample: only those rejected for a reason that contains this", placeholder: "text" },
    count: { describe: "sample: documents to show", placeholder: "number", initial: "5" },
    seed: { describe: "sample: another seed shows others", placeholder: "number", initial: "1" },
    json: { describe: "print JSON" },
  },
  examples: [
    "tilth data build --npm node_modules --corpus corpus",
    "tilth data report --corpus corpus --out report",
    "tilth data why 3f9a12 --corpus corpus",
    "tilth data sample --corpus corpus --rejected --reason gopher",
  ],
  async run(input) {
    const [action = "", subject] = input.positionals;
    if (!Object.hasOwn(actions, action)) {
      throw new UsageError(`tilth data ${action}: expected ${Object.keys(actions).join(", ")}`, {
        remedy: "See: tilth data --help",
      });
    }
    await actions[action](input, subject);
  },
};

async function build(input: CommandInput): Promise<void> {
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
}

async function withStore(input: CommandInput, work: (store: DocumentStore) => Promise<string>): Promise<void> {
  const store = await openDocumentStore(resolve(input.text("corpus")!));
  try {
    process.stdout.write(await work(store));
  } finally {
    store.close();
  }
}

async function report(input: CommandInput): Promise<void> {
  const out = input.text("out");
  await withStore(input, async (store) => {
    const figures = out === undefined ? await corpusReport(store) : await writeCorpusReport(store, resolve(out));
    if (out !== undefined) say(`Wrote ${reportNames.map((name) => join(resolve(out), name)).join(", ")}`);
    return input.flag("json") ? `${JSON.stringify(figures)}\n` : renderReport(figures);
  });
}

async function why(input: CommandInput, subject: string): Promise<void> {
  await withStore(input, async (store) => {
    const story = await documentStory(store, subject);
    return input.flag("json") ? `${JSON.stringify(story)}\n` : renderStory(story);
  });
}

async function sample(input: CommandInput): Promise<void> {
  const [kept, rejected] = [input.flag("kept"), input.flag("rejected")];
  await withStore(input, async (store) => {
    const documents = await sampleDocuments(store, {
      count: input.number("count", { minimum: 1, maximum: 10_000, whole: true }) ?? 5,
      seed: input.number("seed", { minimum: 0, maximum: 2 ** 31, whole: true }) ?? 1,
      kept: kept === rejected ? undefined : kept,
      reason: input.text("reason"),
    });
    return input.flag("json") ? `${JSON.stringify(documents)}\n` : renderSample(documents, 12);
  });
}
