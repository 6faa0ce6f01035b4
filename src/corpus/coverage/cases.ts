/** What a corpus holds of single texts: how much of each, in which documents, and what was rejected that would have held it. */
import { GramIndex } from "../decontamination/index.ts";
import type { DocumentStore } from "../store/index.ts";
import { buildTextLibrary, useTextKernels } from "../text/index.ts";

/** A document that shares n-grams with a text. */
export interface NearDocument {
  readonly id: string;
  readonly source: string;
  readonly path: string;
  /** Different pairs of words that both have, and their share of the text's. */
  readonly shared: number;
  readonly share: number;
  /** Why it does not train; null where it does. */
  readonly rejected: string | null;
  /** Documents of its cluster of near duplicates, itself among them. */
  readonly copies: number;
}

/** One text held against a store. Shares are of its different words, and pairs of words in a row; case does not count. */
export interface TextCoverage {
  readonly words: number;
  readonly pairs: number;
  /** Share of its pairs that stand in a rejected document and in none that trains. */
  readonly onlyRejected: number;
  /** Those that share most pairs with it, kept and rejected ones, most first. */
  readonly nearest: readonly NearDocument[];
}

const nearestDocuments = 3;

/** Holds every text against all documents of a store, in one pass. */
export async function coverageOfTexts(
  store: DocumentStore,
  texts: readonly string[],
  onDocument?: (done: number) => void,
): Promise<TextCoverage[]> {
  useTextKernels(await buildTextLibrary());
  const [words, pairs] = [1, 2].map((n) => new Grams(texts, n));
  const state = await store.query(
    "SELECT id, kept, split, reason, cluster, count(*) OVER (PARTITION BY coalesce(cluster, id)) AS copies FROM documents",
  );
  const rowOf = new Map(state.map((row) => [String(row.id), row]));
  const near = texts.map((): Found[] => []);
  let done = 0;
  for await (const { id, text, source, path } of store.documents()) {
    const row = rowOf.get(id);
    const trains = row?.kept === true && row.split === "train";
    words.note(text, trains);
    const rejected = trains ? null : String(row?.reason ?? row?.split ?? "not kept");
    for (const [index, shared] of pairs.note(text, trains)) {
      insert(near[index], { id, source, path, shared, rejected, copies: Number(row?.copies ?? 1) });
    }
    onDocument?.(++done);
  }
  return texts.map((_, index) => ({
    words: words.share(index, trained),
    pairs: pairs.share(index, trained),
    onlyRejected: pairs.share(index, passedOver),
    nearest: near[index].map((one) => ({ ...one, share: one.shared / Math.max(1, pairs.of[index].length) })),
  }));
}

type Found = Omit<NearDocument, "share">;

/** Keeps the best few in order. */
function insert(found: Found[], one: Found): void {
  const at = found.findIndex(({ shared }) => shared < one.shared);
  if (at < 0 && found.length >= nearestDocuments) return;
  found.splice(at < 0 ? found.length : at, 0, one);
  if (found.length > nearestDocuments) found.pop();
}

/** An n-gram stands in a document that trains; only in ones that do not. */
const [trained, passedOver] = [2, 1];

/** The n-grams of all texts, and what was seen of them. */
class Grams {
  private readonly index: GramIndex;
  private readonly seen: Uint8Array;
  private readonly textsOf = new Map<number, number[]>();
  /** Different n-grams of each text. */
  readonly of: readonly (readonly number[])[];

  constructor(texts: readonly string[], n: number) {
    this.index = new GramIndex([texts], n);
    this.seen = new Uint8Array(this.index.grams);
    this.of = texts.map((text) => this.distinct(text));
    for (const [text, grams] of this.of.entries()) {
      for (const gram of grams) {
        const known = this.textsOf.get(gram);
        if (known === undefined) this.textsOf.set(gram, [text]);
        else known.push(text);
      }
    }
  }

  /** Marks what a document holds. Returns, by text, how many of its n-grams that are. */
  note(text: string, trains: boolean): Map<number, number> {
    const shared = new Map<number, number>();
    for (const gram of this.distinct(text)) {
      this.seen[gram] = Math.max(this.seen[gram], trains ? trained : passedOver);
      for (const one of this.textsOf.get(gram) ?? []) shared.set(one, (shared.get(one) ?? 0) + 1);
    }
    return shared;
  }

  share(text: number, state: number): number {
    const grams = this.of[text];
    return grams.length === 0 ? 0 : grams.filter((gram) => this.seen[gram] === state).length / grams.length;
  }

  private distinct(text: string): number[] {
    const { count, values } = this.index.find(text);
    return [...new Set(values.subarray(0, count))];
  }
}
