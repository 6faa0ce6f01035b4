/**
 * Spans that repeat anywhere (Lee et al. 2022). Two bit sets of fixed size tell in one pass over all texts which windows
 * of tokens may occur twice; the suffix array is built over those alone, so that memory follows the repeats and not the
 * corpus.
 */
import { textKernels, type WindowFilter } from "../text/index.ts";
import { type RepeatSearch, removeSpans } from "./repeats.ts";

/** What counts as a repeat. */
export interface SpanSettings {
  readonly minimumTokens: number;
  readonly minimumRemainingBytes: number;
  /** Bits of each of the two sets, as a power of two; chosen by the size of the corpus if left out. */
  readonly filterBits?: number;
}

/** At most so many bits: 512 MiB a set. */
const maximumFilterBits = 32;
/** A set this many times as large as the windows entered lets one window in twenty through by mistake. */
const bitsPerToken = 20;

/** Removes the repeats; the copy in the most preferred document stays, and there the first. */
export async function removeRepeatedSpans(search: RepeatSearch, settings: SpanSettings): Promise<void> {
  const { minimumTokens: width } = settings;
  const kernels = textKernels();
  const filter = windowFilter(settings.filterBits ?? (await filterBitsFor(search)));
  for await (const { text } of search.texts()) kernels.noteWindows(kernels.words(text, "tokens"), width, filter);

  const candidates: Candidate[] = [];
  for await (const { document, text } of search.texts()) {
    const tokens = kernels.words(text, "tokens");
    candidates.push(...runsOf(kernels.markWindows(tokens, width, filter), document, tokens));
  }
  if (candidates.length === 0) return;
  candidates.sort((a, b) => search.rank[a.document] - search.rank[b.document] || a.start - b.start);

  const total = candidates.reduce((sum, { first }) => sum + first.length + 1, 0);
  const all = { count: total, first: new Int32Array(total), second: new Int32Array(total) };
  let at = 0;
  for (const { first, second } of candidates) {
    all.first.set(first, at);
    all.second.set(second, at);
    // The pair (0, 0) after it ends the run.
    at += first.length + 1;
  }
  const marks = kernels.markRepeats(all, width);
  const repeated = new Map<number, [from: number, to: number][]>();
  at = 0;
  for (const { document, start, first } of candidates) {
    const runs = runsOfOnes(marks.subarray(at, at + first.length));
    at += first.length + 1;
    if (runs.length === 0 || document < search.trained) continue;
    const known = repeated.get(document) ?? [];
    for (const [from, to] of runs) known.push([start + from, start + to]);
    repeated.set(document, known);
  }
  for await (const { document, text } of search.texts()) {
    const runs = repeated.get(document);
    if (runs === undefined) continue;
    const { starts, ends } = kernels.words(text, "tokens");
    const spans = runs.map(([from, to]) => [starts[from], ends[to - 1]] as const);
    removeSpans(search, document, text, { stage: "repeated-spans", spans }, settings.minimumRemainingBytes);
  }
}

/** A run of tokens every one of which is in a window that may occur elsewhere. */
interface Candidate {
  readonly document: number;
  /** Index of its first token in the document. */
  readonly start: number;
  readonly first: Int32Array;
  readonly second: Int32Array;
}

function runsOf(marks: Uint8Array, document: number, tokens: { first: Int32Array; second: Int32Array }): Candidate[] {
  return runsOfOnes(marks).map(([from, to]) => ({
    document,
    start: from,
    first: tokens.first.slice(from, to),
    second: tokens.second.slice(from, to),
  }));
}

function runsOfOnes(marks: Uint8Array): [from: number, to: number][] {
  const runs: [number, number][] = [];
  for (let from = marks.indexOf(1); from >= 0; ) {
    const end = marks.indexOf(0, from);
    const to = end < 0 ? marks.length : end;
    runs.push([from, to]);
    from = marks.indexOf(1, to);
  }
  return runs;
}

function windowFilter(bits: number): WindowFilter {
  return { bits, seen: new Uint8Array(2 ** bits / 8), repeated: new Uint8Array(2 ** bits / 8) };
}

/** Enough bits for the texts' characters, of which at least three make a token. */
async function filterBitsFor({ texts }: RepeatSearch): Promise<number> {
  let characters = 0;
  for await (const { text } of texts()) characters += text.length;
  return Math.min(maximumFilterBits, Math.max(16, Math.ceil(Math.log2((characters / 4) * bitsPerToken + 1))));
}
