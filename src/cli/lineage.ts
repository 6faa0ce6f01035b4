import { relative, resolve } from "node:path";
import { UsageError, writeFileAtomically } from "../foundation/index.ts";
import { type DocumentTrace, type Lineage, openLineage, traceDocument } from "../jobs/index.ts";
import { lineagePage, provDocument, type Verification, verifyLineage } from "../lineage/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { formatCount, say } from "./terminal.ts";

/** `tilth lineage` and `tilth lineage verify` */
export const lineage: Command = {
  summary: "where a checkpoint comes from: raw files, documents, shards, steps, checkpoints; verify hashes them again",
  usage: "[verify] <checkpoint, corpus, shards or export> [options]",
  options: {
    document: { describe: "the steps that saw this document, by the first digits of its id", placeholder: "id" },
    query: {
      describe: "SQL over the tables artefacts, activities, uses, seen and documents",
      placeholder: "sql",
    },
    html: { describe: "write the graph as a page", placeholder: "file" },
    prov: { describe: "write the graph as W3C PROV (JSON)", placeholder: "file" },
    json: { describe: "print JSON" },
  },
  examples: [
    "tilth lineage runs/quickstart/checkpoints/step-0000650",
    "tilth lineage verify runs/quickstart/checkpoints/step-0000650",
    "tilth lineage runs/quickstart/checkpoints/step-0000650 --document 3fa9",
    'tilth lineage runs/quickstart/checkpoints/step-0000650 --query "SELECT licence, count(*) AS documents FROM seen JOIN documents USING (id) GROUP BY ALL"',
    "tilth lineage quickstart.gguf --html lineage.html --prov lineage.prov.json",
  ],
  async run(input) {
    const [first, second] = input.positionals;
    const path = first === "verify" ? second : first;
    if (path === undefined)
      throw new UsageError("the lineage of what? Give a checkpoint, a corpus, shards or an export.");
    if (first === "verify") return verify(resolve(path), input.flag("json"));
    const document = input.text("document");
    if (document !== undefined) return trace(resolve(path), document, input.flag("json"));
    const opened = await openLineage(resolve(path));
    try {
      await answer(opened, input);
    } finally {
      opened.database.close();
    }
  },
};

async function answer(opened: Lineage, input: CommandInput): Promise<void> {
  const { graph, database } = opened;
  const [html, prov, sql] = [input.text("html"), input.text("prov"), input.text("query")];
  if (html !== undefined) writeFileAtomically(html, await lineagePage(graph));
  if (prov !== undefined) writeFileAtomically(prov, `${JSON.stringify(provDocument(graph), null, 2)}\n`);
  for (const file of [html, prov]) if (file !== undefined) say(`Wrote ${file}`);
  if (sql !== undefined) {
    for (const row of await database.query(sql)) process.stdout.write(`${JSON.stringify(row)}\n`);
    return;
  }
  const rights = await rightsOf(opened);
  process.stdout.write(
    input.flag("json") ? `${JSON.stringify({ ...graph, rights })}\n` : `${describe(opened, rights)}\n`,
  );
}

/** Documents, and bytes of them, that a checkpoint saw, by licence. */
interface Right {
  readonly licence: string;
  readonly decision: string;
  readonly documents: number;
  readonly bytes: number;
}

async function rightsOf({ graph, checkpoint, database }: Lineage): Promise<Right[]> {
  if (checkpoint === undefined || !graph.artefacts.some(({ kind, present }) => kind === "corpus" && present)) return [];
  const rows = await database.query(
    `SELECT licence, licence_decision AS decision, CAST(count(*) AS INTEGER) AS documents, CAST(sum(bytes) AS DOUBLE) AS bytes
     FROM seen JOIN documents USING (id) GROUP BY ALL ORDER BY bytes DESC, licence`,
  );
  return rows.map(({ licence, decision, documents, bytes }) => ({
    licence: String(licence),
    decision: String(decision),
    documents: Number(documents),
    bytes: Number(bytes),
  }));
}

function describe({ graph, checkpoint, unknownSteps }: Lineage, rights: readonly Right[]): string {
  const { artefacts, activities, uses, root } = graph;
  const of = (id: string) => artefacts.find((one) => one.id === id)!;
  const lines: string[] = [];
  const told = new Set<string>();
  const tell = (id: string, role: string, depth: number): void => {
    const { name, kind, contents, present, madeBy } = of(id);
    const made = activities.find((one) => one.id === madeBy);
    const again = told.has(id) && made !== undefined;
    lines.push(
      `${"  ".repeat(depth)}${role === "" ? "" : `${role}: `}${name}  [${kind} ${contents.slice(0, 12)}]${present ? "" : "  not here"}${made === undefined ? "" : `  by tilth ${made.command}`}${again ? ", as above" : ""}`,
    );
    if (again) return;
    told.add(id);
    if (made !== undefined) {
      for (const use of uses) if (use.activity === made.id) tell(use.artefact, use.role, depth + 1);
    }
  };
  tell(root, "", 0);
  if (rights.length > 0) {
    const documents = rights.reduce((sum, one) => sum + one.documents, 0);
    const bytes = rights.reduce((sum, one) => sum + one.bytes, 0);
    lines.push(
      "",
      `${formatCount(documents)} documents were seen until ${relative(process.cwd(), checkpoint!)}, by their licences and bytes:`,
      ...rights
        .slice(0, 12)
        .map(
          (one) =>
            `  ${((100 * one.bytes) / bytes).toFixed(1).padStart(5)} %  ${one.licence} (${one.decision}), ${formatCount(one.documents)} documents`,
        ),
      ...(rights.length > 12 ? [`  and ${rights.length - 12} more`] : []),
    );
  }
  if (unknownSteps > 0) lines.push(`${unknownSteps} steps read shards that are gone: what they saw is not known.`);
  return lines.join("\n");
}

async function trace(checkpoint: string, document: string, json: boolean): Promise<void> {
  const found: DocumentTrace = await traceDocument(checkpoint, document);
  if (json) return void process.stdout.write(`${JSON.stringify(found)}\n`);
  const { id, source, path, licence, ranges, steps } = found;
  process.stdout.write(
    [
      `document   ${id}`,
      `raw file   ${source} ${path} (${licence})`,
      `tokens     ${ranges.length === 0 ? "in no training shard" : ranges.map(({ shard, start, end }) => `${shard} ${start}–${end}`).join(", ")}`,
      `steps      ${steps.length === 0 ? "none until this checkpoint" : `${steps.length}: ${steps.slice(0, 20).join(", ")}${steps.length > 20 ? ", …" : ""}`}`,
      "",
    ].join("\n"),
  );
}

async function verify(path: string, json: boolean): Promise<void> {
  const words = { intact: "intact", changed: "CHANGED", absent: "not here", replaced: "replaced since" } as const;
  const tell = ({ kind, path: place, state, files, problems }: Verification) => {
    if (json) return;
    process.stdout.write(
      `${words[state].padEnd(15)} ${kind.padEnd(11)} ${relative(process.cwd(), place) || "."} (${files} files)\n`,
    );
    for (const problem of problems) process.stdout.write(`                ${problem}\n`);
  };
  const found = await verifyLineage(path, tell);
  const changed = found.filter(({ state }) => state === "changed");
  if (json) process.stdout.write(`${JSON.stringify({ intact: changed.length === 0, artefacts: found })}\n`);
  if (changed.length > 0) {
    say(`tilth: ${changed.length} of ${found.length} artefacts are not what was recorded`);
    process.exitCode = 1;
  }
}
