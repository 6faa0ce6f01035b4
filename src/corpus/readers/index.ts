/** Readers: where documents come from. A source names its reader; a reader lists what there is to read. */
import { z } from "zod";
import { TilthError } from "../../foundation/index.ts";
import { csvReader } from "./csv.ts";
import type { Reader, ReaderContext, WorkItem } from "./define.ts";
import { folderReader } from "./folder.ts";
import { imagesReader } from "./images.ts";
import { jsonlReader } from "./jsonl.ts";
import { npmReader } from "./npm.ts";
import { parquetReader } from "./parquet.ts";
import { treeReader } from "./tree.ts";
import { warcReader } from "./warc.ts";

export type { DocumentFormat, WorkItem } from "./define.ts";
export { kindOfFile } from "./kinds.ts";
export { trimSpool } from "./spool.ts";

/** All readers. A new reader is one file and one line here. */
const readers = [
  npmReader,
  folderReader,
  treeReader,
  jsonlReader,
  csvReader,
  parquetReader,
  warcReader,
  imagesReader,
] as const;

type SchemasOf<List extends readonly Pick<Reader, "schema">[]> = { [Index in keyof List]: List[Index]["schema"] };

/** A source of documents as configuration names it. */
export const corpusSource = z.discriminatedUnion(
  "reader",
  readers.map(({ schema }) => schema) as unknown as SchemasOf<typeof readers>,
);

export type CorpusSource = z.output<typeof corpusSource>;
export type CorpusSourceInput = z.input<typeof corpusSource>;

/** One reader as help, documentation and model cards show it. */
export interface ReaderEntry {
  readonly name: CorpusSource["reader"];
  readonly title: string;
  readonly describe: string;
}

/** All readers with what they read. */
export const readerCatalogue: readonly ReaderEntry[] = readers.map(({ schema, title, describe }) => ({
  name: schema.shape.reader.value,
  title,
  describe,
}));

/** What the sources hold: the documents in source and path order, and how many files were passed over and why. */
export interface Listing {
  readonly items: readonly WorkItem[];
  readonly skipped: Readonly<Record<string, number>>;
  /** The robots.txt files among the documents, by host. */
  readonly robots: ReadonlyMap<string, string>;
  /** The raw files that they come from. */
  readonly files: ReadonlySet<string>;
}

/** Lists the documents of all sources. Throws TilthError for a missing source, and where nothing can be read. */
export async function listSources(
  sources: readonly CorpusSource[],
  options: Omit<ReaderContext, "skipped" | "robots" | "files">,
): Promise<Listing> {
  const skipped = new Map<string, number>();
  const robots = new Map<string, string>();
  const files = new Set<string>();
  const context: ReaderContext = { ...options, skipped, robots, files };
  const items = new Map<string, WorkItem>();
  for (const source of sources) {
    for await (const item of listSource(source, context)) {
      if (!item.file.startsWith(options.spoolFolder)) files.add(item.file);
      const key = `${item.source}\n${item.path}`;
      const known = items.get(key);
      if (known === undefined) {
        items.set(key, item);
      } else if (source.reader === "npm") {
        skipped.set("package in two sources", (skipped.get("package in two sources") ?? 0) + 1);
      } else {
        throw new TilthError(`two sources are called ${item.source}, and both have ${item.path}`, {
          remedy: 'Give one of them another "name".',
        });
      }
    }
  }
  if (items.size === 0) {
    const passedOver = [...skipped].map(([reason, count]) => `${count} × ${reason}`).join(", ");
    throw new TilthError(
      `no text found in ${sources.map(({ path }) => path).join(", ") || "an empty list of sources"}${passedOver === "" ? "" : ` (passed over: ${passedOver})`}`,
      { remedy: "Name a folder with text, Markdown or source files; includeData adds JSON, YAML, XML and the like." },
    );
  }
  return {
    items: [...items.values()].sort(compareItems),
    skipped: Object.fromEntries([...skipped].sort(([a], [b]) => (a < b ? -1 : 1))),
    robots,
    files,
  };
}

function listSource(source: CorpusSource, context: ReaderContext): Iterable<WorkItem> | AsyncIterable<WorkItem> {
  // The name decides the schema that the source was parsed with, which TypeScript cannot follow through the list.
  const reader = readers.find(({ schema }) => schema.shape.reader.value === source.reader) as Reader | undefined;
  return reader?.list(source, context) ?? [];
}

/** By source, then path; the records of one file by their number. */
function compareItems(a: WorkItem, b: WorkItem): number {
  if (a.source !== b.source) return a.source < b.source ? -1 : 1;
  const [first, second] = [recordPlace(a), recordPlace(b)];
  if (first.path !== second.path) return first.path < second.path ? -1 : 1;
  return first.number - second.number;
}

function recordPlace({ path, offset }: WorkItem): { path: string; number: number } {
  if (offset === undefined) return { path, number: -1 };
  const mark = path.lastIndexOf("#");
  return { path: path.slice(0, mark), number: Number(path.slice(mark + 1)) };
}
