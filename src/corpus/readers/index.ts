/** Readers: where documents come from. A source names its reader; a reader lists what there is to read. */
import { z } from "zod";
import { TilthError } from "../../foundation/errors.ts";
import type { ReaderContext, WorkItem } from "./define.ts";
import { folderReader, folderSource } from "./folder.ts";
import { npmReader, npmSource } from "./npm.ts";

export type { WorkItem } from "./define.ts";
export { kindOfFile } from "./kinds.ts";

/** A source of documents as configuration names it. */
export const corpusSource = z.discriminatedUnion("reader", [npmSource, folderSource]);

export type CorpusSource = z.infer<typeof corpusSource>;

/** What the sources hold: the documents in source and path order, and how many files were passed over and why. */
export interface Listing {
  readonly items: readonly WorkItem[];
  readonly skipped: Readonly<Record<string, number>>;
}

/** Lists the documents of all sources. Throws TilthError for a missing source, and where nothing can be read. */
export function listSources(
  sources: readonly CorpusSource[],
  options: { readonly includeData: boolean; readonly baseFolder: string },
): Listing {
  const skipped = new Map<string, number>();
  const context: ReaderContext = { ...options, skipped };
  const items = new Map<string, WorkItem>();
  for (const source of sources) {
    for (const item of listSource(source, context)) {
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
      { remedy: "Name a folder with text, Markdown or source files; includeData adds JSON, YAML, HTML and the like." },
    );
  }
  return {
    items: [...items.values()].sort(compareItems),
    skipped: Object.fromEntries([...skipped].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function listSource(source: CorpusSource, context: ReaderContext): Iterable<WorkItem> {
  switch (source.reader) {
    case "npm":
      return npmReader.list(source, context);
    case "folder":
      return folderReader.list(source, context);
  }
}

function compareItems(a: WorkItem, b: WorkItem): number {
  if (a.source !== b.source) return a.source < b.source ? -1 : 1;
  return a.path < b.path ? -1 : 1;
}
