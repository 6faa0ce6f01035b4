import { resolve } from "node:path";
import { buildCorpus, type CorpusSource, openDocumentStore } from "../corpus/index.ts";
import { UsageError } from "../foundation/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { formatBytes, interruptSignal, progressLine } from "./terminal.ts";

/** `tilth data build|report|why` */
export const data: Command = {
  summary: "build a corpus, report on it, explain a document",
  usage: "build|report|why [id] --corpus <folder> [options]",
  options: {
    corpus: { describe: "folder of the document store", placeholder: "folder", initial: "corpus" },
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
    json: { describe: "print JSON" },
  },
  examples: [
    "tilth data build --npm node_modules --corpus corpus",
    "tilth data report --corpus corpus",
    "tilth data why 3f9a12 --corpus corpus",
  ],
  async run(input) {
    const [action, subject] = input.positionals;
    if (action === "build") return build(input);
    if (action === "report") return report(input);
    if (action === "why") {
      if (subject === undefined) throw new UsageError("which document? Give the first digits of its id.");
      return why(input, subject);
    }
    throw new UsageError(`tilth data ${action ?? ""}: expected build, report or why`, {
      remedy: "See: tilth data --help",
    });
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

const reportQueries = {
  "rejected for":
    "SELECT reason AS name, count(*) AS documents, sum(bytes) AS bytes FROM documents WHERE NOT kept GROUP BY ALL ORDER BY documents DESC, name",
  "kept, by kind":
    "SELECT kind AS name, count(*) AS documents, sum(bytes) AS bytes FROM documents WHERE kept GROUP BY ALL ORDER BY bytes DESC, name",
  "kept, by licence":
    "SELECT licence || ' (' || licence_decision || ')' AS name, count(*) AS documents, sum(bytes) AS bytes FROM documents WHERE kept GROUP BY ALL ORDER BY bytes DESC, name",
  "kept, by language":
    "SELECT language AS name, count(*) AS documents, sum(bytes) AS bytes FROM documents WHERE kept GROUP BY ALL ORDER BY bytes DESC, name",
  "kept, by split":
    "SELECT split AS name, count(*) AS documents, sum(bytes) AS bytes FROM documents WHERE kept GROUP BY ALL ORDER BY name",
  "kept, largest sources":
    "SELECT source AS name, count(*) AS documents, sum(bytes) AS bytes FROM documents WHERE kept GROUP BY ALL ORDER BY bytes DESC, name LIMIT 20",
} as const;

async function report(input: CommandInput): Promise<void> {
  const store = await openDocumentStore(resolve(input.text("corpus")!));
  try {
    const sections: Record<string, { name: string; documents: number; bytes: number }[]> = {};
    for (const [title, sql] of Object.entries(reportQueries)) {
      sections[title] = (await store.query(sql)).map((row) => ({
        name: String(row.name),
        documents: Number(row.documents),
        bytes: Number(row.bytes),
      }));
    }
    if (input.flag("json")) {
      process.stdout.write(
        `${JSON.stringify({ counts: store.manifest.counts, skipped: store.manifest.skipped, ...sections })}\n`,
      );
      return;
    }
    const { counts } = store.manifest;
    const lines = [
      `${counts.documents} documents (${formatBytes(counts.bytes)}), ${counts.kept} kept (${formatBytes(counts.keptBytes)})`,
    ];
    for (const [title, rows] of Object.entries(sections)) {
      lines.push("", title);
      for (const { name, documents, bytes } of rows) {
        lines.push(`  ${String(documents).padStart(7)} documents ${formatBytes(bytes).padStart(8)}  ${name}`);
      }
    }
    lines.push("", "Not measured by this version: toxicity, personal data, coverage of evaluation sets.", "");
    process.stdout.write(lines.join("\n"));
  } finally {
    store.close();
  }
}

async function why(input: CommandInput, subject: string): Promise<void> {
  const store = await openDocumentStore(resolve(input.text("corpus")!));
  try {
    const row = await store.row(subject);
    if (input.flag("json")) {
      process.stdout.write(`${JSON.stringify(row)}\n`);
      return;
    }
    const { licence } = row;
    process.stdout.write(
      [
        `Document   ${row.id}: ${row.source}, ${row.path} (${row.kind}, ${row.bytes} bytes)`,
        `Verdict    ${row.kept ? `kept, in ${row.split}` : "rejected"}`,
        ...row.rejections.map(
          ({ stage, rule, value, expected }) =>
            `  against  ${stage}: ${rule}${value === undefined ? "" : ` is ${value}`}${expected === undefined ? "" : `, expected ${expected}`}`,
        ),
        `Licence    ${licence.expression}: ${row.licenceDecision}, by ${row.licenceRule}`,
        `  evidence ${licence.evidence} (confidence ${licence.confidence})`,
        `Language   ${row.language} (score ${row.languageScore.toFixed(3)})`,
        `Duplicates cluster ${row.cluster} of ${row.clusterSize}: ${row.clusterReason || "no duplicates"}`,
        "Measures",
        ...Object.entries(row.measures).map(([name, value]) => `  ${name.padEnd(44)} ${Number(value.toPrecision(5))}`),
        "",
      ].join("\n"),
    );
  } finally {
    store.close();
  }
}
