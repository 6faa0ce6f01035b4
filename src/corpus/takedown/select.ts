/** What a take-down concerns: the documents asked for, their copies, and who else holds spans of them. */
import { z } from "zod";
import { TilthError, UsageError } from "../../foundation/index.ts";
import type { DocumentStore } from "../store/index.ts";
import { SpanSet, textTokens } from "./spans.ts";
import type { Tombstone } from "./tombstones.ts";

/** Which documents to take down; several are united. */
export interface TakedownRequest {
  /** First digits of ids. */
  readonly ids: readonly string[];
  /** Addresses; one that ends in `*` means all that begin so. */
  readonly urls: readonly string[];
  /** SPDX expressions, exactly as the store has them. */
  readonly licences: readonly string[];
  /** Conditions in SQL over the view `documents`, e.g. `source = 'npm:left-pad@1.3.0'`. */
  readonly queries: readonly string[];
  readonly reason: string;
  /** Also take down kept documents that quote 50 tokens or more. */
  readonly quotes: boolean;
}

/** A document by its names. */
const named = z.object({ id: z.string(), source: z.string(), path: z.string(), url: z.string().nullable() });
export type NamedDocument = z.infer<typeof named>;

export interface Selection {
  readonly documents: readonly (NamedDocument & Pick<Tombstone, "because">)[];
  /** Kept documents that hold spans of these and stay. */
  readonly quotedBy: readonly NamedDocument[];
}

/** Finds everything that a request concerns. Throws UsageError where it names nothing. */
export async function selectDocuments(store: DocumentStore, request: TakedownRequest): Promise<Selection> {
  const requested = new Map<string, NamedDocument>();
  const find = async (what: string, condition: string, parameters: readonly string[] = []) => {
    const rows = z
      .array(named)
      .parse(
        await store.query(`SELECT id, source, path, url FROM documents WHERE ${condition} ORDER BY id`, parameters),
      );
    if (rows.length === 0) throw new TilthError(`no document of the corpus has ${what}`);
    for (const row of rows) requested.set(row.id, row);
  };
  for (const id of request.ids) {
    const { id: whole } = await store.row(id);
    await find(`the id ${id}`, "id = $1", [whole]);
  }
  for (const url of request.urls) {
    if (url.endsWith("*")) await find(`a URL that begins with ${url}`, "starts_with(url, $1)", [url.slice(0, -1)]);
    else await find(`the URL ${url}`, "url = $1", [url]);
  }
  for (const licence of request.licences) await find(`the licence ${licence}`, "licence = $1", [licence]);
  for (const query of request.queries) await find(`what the query asks for: ${query}`, `(${query})`);
  if (requested.size === 0) throw new UsageError("which documents? Give --id, --url, --licence or --query.");

  const documents = new Map<string, Selection["documents"][number]>();
  for (const one of requested.values()) documents.set(one.id, { ...one, because: "requested" });
  const list = [...requested.keys()].map((id) => `'${id.replaceAll("'", "''")}'`).join(", ");
  const copies = await store.query(
    `SELECT id, source, path, url FROM documents
     WHERE cluster_size > 1 AND cluster IN (SELECT cluster FROM documents WHERE cluster_size > 1 AND id IN (${list})) ORDER BY id`,
  );
  for (const copy of z.array(named).parse(copies)) {
    if (!documents.has(copy.id)) documents.set(copy.id, { ...copy, because: "copy" });
  }

  const spans = new SpanSet();
  for await (const { id, text } of store.documents()) if (documents.has(id)) spans.add(textTokens(text));
  const quotedBy: NamedDocument[] = [];
  const holders: string[] = [];
  for await (const { id, text } of store.documents()) {
    if (!documents.has(id) && spans.countIn(textTokens(text)) > 0) holders.push(id);
  }
  for (const id of holders) {
    const row = await store.row(id);
    const { source, path, url } = row;
    // A rejected row trains nothing: emptying it costs nobody anything.
    if (request.quotes || !row.kept) documents.set(id, { id, source, path, url, because: "quotes" });
    else quotedBy.push({ id, source, path, url });
  }
  return { documents: [...documents.values()], quotedBy };
}
