/** Takes evaluation texts out of a training set by GPT-3's rule (Brown et al. 2020, appendix C). */
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import type { Revisions, Texts } from "../revisions.ts";
import type { GramMatches } from "../text/index.ts";
import type { LoadedEvaluationSet } from "./evaluation-sets.ts";
import { GramIndex } from "./gram-index.ts";

const shape = {
  ngramWords: z
    .int()
    .min(1)
    .max(100)
    .default(13)
    .describe("words of an n-gram that may not be shared with an evaluation"),
  removedCharacters: z.int().min(0).default(200).describe("characters removed on either side of a match"),
  minimumPieceCharacters: z.int().min(0).default(200).describe("shorter pieces between removals are dropped, too"),
  maximumPieces: z.int().min(1).default(10).describe("a document that is cut into more pieces is dropped"),
  maximumDocuments: z
    .int()
    .min(1)
    .default(10)
    .describe("an n-gram found in more training documents is common speech and ignored"),
};

/** GPT-3's thresholds; they apply where the corpus has evaluation sets. */
export const decontaminationSettings = settingsObject("decontamination", shape);

export type DecontaminationSettings = z.infer<typeof decontaminationSettings>;

/** Removes what the kept documents share with the sets. Memory: the sets' n-grams, and a number for every document hit. */
export async function decontaminate(
  search: { texts(): Texts; readonly trained: number; readonly revisions: Revisions },
  sets: readonly LoadedEvaluationSet[],
  settings: DecontaminationSettings,
): Promise<void> {
  const index = new GramIndex(
    sets.map(({ items }) => items.flat()),
    settings.ngramWords,
  );
  const documents = new Uint32Array(index.grams);
  const hit = new Set<number>();
  for await (const { document, text } of search.texts()) {
    if (document < search.trained) continue;
    const { count, values } = index.find(text);
    if (count === 0) continue;
    hit.add(document);
    for (const gram of new Set(values)) documents[gram]++;
  }
  for await (const { document, text } of search.texts()) {
    if (!hit.has(document)) continue;
    const matches = matchesOf(index.find(text)).filter(({ gram }) => documents[gram] <= settings.maximumDocuments);
    if (matches.length === 0) continue;
    const names = [...new Set(matches.map(({ gram }) => sets[index.groupOf(gram)].name))].sort().join(", ");
    const { spans, pieces } = cut(text, matches, settings);
    const reject = (value: number, expected: string) =>
      search.revisions.reject(document, { stage: "decontamination", rule: `ngram: ${names}`, value, expected });
    if (pieces > settings.maximumPieces) {
      reject(pieces, `at most ${settings.maximumPieces} pieces`);
      continue;
    }
    search.revisions.edit(document, { stage: "decontamination", spans, glue: "\n\n", reason: names });
    if (spans.length === 1 && spans[0][0] === 0 && spans[0][1] === text.length) {
      reject(0, `a piece of ${settings.minimumPieceCharacters} characters without a match`);
    }
  }
}

interface Match {
  readonly start: number;
  readonly end: number;
  readonly gram: number;
}

function matchesOf({ count, starts, ends, values }: GramMatches): Match[] {
  return Array.from({ length: count }, (_, index) => ({ start: starts[index], end: ends[index], gram: values[index] }));
}

/**
 * What is removed of a text, and into how many pieces the matches cut it. Pieces are counted before the short ones are
 * dropped. Matches are in ascending order.
 */
export function cut(
  text: string,
  matches: readonly Pick<Match, "start" | "end">[],
  settings: Pick<DecontaminationSettings, "removedCharacters" | "minimumPieceCharacters">,
): { spans: [start: number, end: number][]; pieces: number } {
  const removed: [number, number][] = [];
  for (const match of matches) {
    const start = Math.max(0, match.start - settings.removedCharacters);
    const end = Math.min(text.length, match.end + settings.removedCharacters);
    const last = removed[removed.length - 1];
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else removed.push([start, end]);
  }
  let pieces = 0;
  const spans: [number, number][] = [];
  const remove = (start: number, end: number) => {
    const last = spans[spans.length - 1];
    if (last !== undefined && start <= last[1]) last[1] = end;
    else spans.push([start, end]);
  };
  let from = 0;
  for (const [start, end] of [...removed, [text.length, text.length] as const]) {
    if (start > from) pieces++;
    if (start - from < settings.minimumPieceCharacters) remove(from, start);
    if (end > start) remove(start, end);
    from = end;
  }
  return { spans: spans.filter(([start, end]) => end > start), pieces };
}
