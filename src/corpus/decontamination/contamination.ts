/** Which items of the evaluation sets a corpus holds, item by item, with the spans that match. */
import type { DocumentStore } from "../store/index.ts";
import { buildTextLibrary, type GramMatches, textKernels, useTextKernels } from "../text/index.ts";
import type { LoadedEvaluationSet } from "./evaluation-sets.ts";
import { GramIndex } from "./gram-index.ts";

/** A stretch of an item that stands in a training document. */
export interface MatchedSpan {
  /** Which of the item's texts, and the place in it in UTF-16 code units. */
  readonly text: number;
  readonly start: number;
  readonly end: number;
  readonly matched: string;
  /** The first document that has the span's first n-gram. */
  readonly document: string;
}

/** An item of which at least one n-gram stands in the training documents. */
export interface ContaminatedItem {
  readonly item: number;
  /** Share of the item's n-grams that do. */
  readonly share: number;
  readonly spans: readonly MatchedSpan[];
}

/** One set held against a corpus. */
export interface SetContamination {
  readonly name: string;
  readonly licence: string;
  readonly sha256: string;
  /** Words of an n-gram: the 5th percentile of the items' lengths, from 8 to 13, as GPT-3 chose it. */
  readonly ngramWords: number;
  readonly items: number;
  /** Items with fewer words than an n-gram: nothing can be said of them. */
  readonly tooShort: number;
  readonly contaminated: readonly ContaminatedItem[];
}

/** Holds every set against the kept documents of a store, all of them in one pass. */
export async function contaminationOf(
  store: DocumentStore,
  sets: readonly LoadedEvaluationSet[],
  onDocument?: (done: number) => void,
): Promise<SetContamination[]> {
  useTextKernels(await buildTextLibrary());
  const searches = sets.map((set) => {
    const ngramWords = gramWordsOf(set);
    const index = new GramIndex([set.items.flat()], ngramWords);
    return { set, ngramWords, index, places: new Int32Array(index.grams).fill(-1) };
  });
  const ids: string[] = [];
  let done = 0;
  for await (const { id, text } of store.documents({ kept: true })) {
    let place = -1;
    for (const { index, places } of searches) {
      const { count, values } = index.find(text);
      for (let match = 0; match < count; match++) {
        if (places[values[match]] !== -1) continue;
        if (place === -1) place = ids.push(id) - 1;
        places[values[match]] = place;
      }
    }
    onDocument?.(++done);
  }
  return searches.map(({ set, ngramWords, index, places }) => {
    const items = set.items.map((texts, item) => judge(texts, item, index, (gram) => ids[places[gram]]));
    return {
      name: set.name,
      licence: set.licence,
      sha256: set.sha256,
      ngramWords,
      items: items.length,
      tooShort: items.filter(({ grams }) => grams === 0).length,
      contaminated: items
        .filter(({ spans }) => spans.length > 0)
        .map(({ item, share, spans }) => ({ item, share, spans })),
    };
  });
}

function judge(
  texts: readonly string[],
  item: number,
  index: GramIndex,
  documentOf: (gram: number) => string | undefined,
) {
  let grams = 0;
  let found = 0;
  const spans: MatchedSpan[] = [];
  texts.forEach((text, number) => {
    const matches = index.find(text);
    grams += matches.count;
    const known = Array.from({ length: matches.count }, (_, match) => documentOf(matches.values[match]));
    found += known.filter((document) => document !== undefined).length;
    spans.push(...spansOf(text, number, matches, known));
  });
  return { item, grams, share: grams === 0 ? 0 : found / grams, spans };
}

/** N-grams that overlap or touch are one span. */
function spansOf(
  text: string,
  number: number,
  matches: GramMatches,
  known: readonly (string | undefined)[],
): MatchedSpan[] {
  const spans: { start: number; end: number; document: string }[] = [];
  known.forEach((document, match) => {
    if (document === undefined) return;
    const [start, end] = [matches.starts[match], matches.ends[match]];
    const last = spans[spans.length - 1];
    if (last !== undefined && start <= last.end) last.end = end;
    else spans.push({ start, end, document });
  });
  return spans.map(({ start, end, document }) => ({
    text: number,
    start,
    end,
    matched: text.slice(start, end),
    document,
  }));
}

/** GPT-3's choice: the 5th percentile of the items' lengths in words, at least 8 and at most 13. */
export function gramWordsOf({ items }: Pick<LoadedEvaluationSet, "items">): number {
  const lengths = items
    .map((texts) => Math.max(0, ...texts.map((text) => textKernels().words(text, "words").count)))
    .sort((a, b) => a - b);
  return Math.min(13, Math.max(8, lengths[Math.floor(lengths.length * 0.05)] ?? 13));
}
