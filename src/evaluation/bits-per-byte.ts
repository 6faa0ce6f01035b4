/** Bits per byte on held-out documents: comparable between tokenizers and with compressors. */
import type { Engine } from "../engine/index.ts";
import { bootstrap, type Estimate, type ProgressListener } from "../foundation/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { nextTokenLoss } from "../objectives/index.ts";

/** How documents longer than the window are cut. */
export interface WindowOptions {
  /** Tokens of one window: at most the model's context. */
  readonly window: number;
  /** Tokens scored by every window after the first; the rest of it is context. Smaller is slower and more exact. */
  readonly stride: number;
  /** Windows of one forward pass. */
  readonly batchWindows: number;
  readonly onProgress?: ProgressListener;
}

/** A document to score; `parts` are named sets that it belongs to, such as its source and its kind. */
export interface ScoredDocument {
  readonly ids: Int32Array;
  /** UTF-8. */
  readonly bytes: number;
  readonly parts?: readonly string[];
}

/** Scores over documents, with 95 % bootstrap intervals over them: they stand for all that such a corpus could have held. */
export interface LikelihoodFigures {
  readonly bitsPerByte: number;
  readonly bitsPerByteInterval: Estimate["interval"];
  /** exp(mean loss in nats a token) */
  readonly perplexity: number;
  readonly perplexityInterval: Estimate["interval"];
  readonly tokens: number;
  readonly bytes: number;
  readonly documents: number;
}

/** Scores over all documents. */
export interface LikelihoodResult extends LikelihoodFigures {
  /** Over those of each part, by its name. */
  readonly parts: Readonly<Record<string, LikelihoodFigures>>;
}

/** What each document costs, in the order in which they came. */
export interface DocumentScores {
  /** Bits of all its tokens and of its end. */
  readonly bits: Float64Array;
  /** UTF-8 bytes. */
  readonly bytes: Float64Array;
  /** Tokens scored. */
  readonly tokens: number;
}

interface Window {
  readonly document: number;
  readonly tokens: Int32Array;
  /** Targets, −1 where another window scores the token. */
  readonly targets: Int32Array;
}

/**
 * Scores every document on its own: it starts after the end-of-text token and ends with it, and that ending is scored
 * too, so that the model pays for knowing where a text ends. Bits are summed over all tokens, bytes are UTF-8.
 */
export async function evaluateLikelihood(
  engine: Engine,
  model: LanguageModel,
  documents: readonly ScoredDocument[],
  endOfText: number,
  options: WindowOptions,
): Promise<LikelihoodResult> {
  const { bits } = await scoreDocuments(engine, model, documents, endOfText, options);
  const scored = documents.map(({ ids, bytes }, index) => ({
    nats: bits[index] * Math.LN2,
    tokens: withEndOfText(ids, endOfText).length - 1,
    bytes,
  }));
  const names = [...new Set(documents.flatMap(({ parts = [] }) => parts))].sort();
  const ofPart = (name: string) => scored.filter((_, index) => documents[index].parts?.includes(name) === true);
  return {
    ...figuresOf(scored),
    parts: Object.fromEntries(names.map((name) => [name, figuresOf(ofPart(name))])),
  };
}

interface Scored {
  readonly nats: number;
  readonly tokens: number;
  readonly bytes: number;
}

function figuresOf(documents: readonly Scored[]): LikelihoodFigures {
  const sum = (of: keyof Scored, occurrences?: Uint32Array) =>
    documents.reduce((total, one, index) => total + one[of] * (occurrences?.[index] ?? 1), 0);
  const { bits, loss } = bootstrap([documents.length], ([occurrences]) => {
    const nats = sum("nats", occurrences);
    return { bits: nats / Math.LN2 / sum("bytes", occurrences), loss: nats / sum("tokens", occurrences) };
  });
  return {
    ...{ bitsPerByte: bits.value, bitsPerByteInterval: bits.interval },
    ...{
      perplexity: Math.exp(loss.value),
      perplexityInterval: [Math.exp(loss.interval[0]), Math.exp(loss.interval[1])],
    },
    ...{ tokens: sum("tokens"), bytes: sum("bytes"), documents: documents.length },
  };
}

/** As `evaluateLikelihood`, each document's part apart: for paired comparisons. */
export async function scoreDocuments(
  engine: Engine,
  model: LanguageModel,
  documents: Iterable<{ readonly ids: Int32Array; readonly bytes: number }>,
  endOfText: number,
  options: WindowOptions,
): Promise<DocumentScores> {
  let tokens = 0;
  const bytes: number[] = [];
  const windows: Window[] = [];
  for (const document of documents) {
    const ids = withEndOfText(document.ids, endOfText);
    windows.push(...windowsOf(bytes.length, ids, options.window, options.stride));
    tokens += ids.length - 1;
    bytes.push(document.bytes);
  }
  const bits = new Float64Array(bytes.length);
  // Windows of like length share a batch, so that little is computed for padding. The order has no influence on scores.
  windows.sort((a, b) => b.tokens.length - a.tokens.length);
  for (let first = 0; first < windows.length; first += options.batchWindows) {
    const some = windows.slice(first, first + options.batchWindows);
    const nats = await scoreBatch(engine, model, some, endOfText);
    for (const [row, { document }] of some.entries()) bits[document] += nats[row] / Math.LN2;
    const done = Math.min(first + options.batchWindows, windows.length);
    options.onProgress?.({ stage: "evaluating", done, total: windows.length, unit: "windows" });
  }
  return { bits, bytes: Float64Array.from(bytes), tokens };
}

function withEndOfText(ids: Int32Array, endOfText: number): Int32Array {
  const body = ids.length > 0 && ids[ids.length - 1] === endOfText ? ids.subarray(0, -1) : ids;
  const all = new Int32Array(body.length + 2).fill(endOfText);
  all.set(body, 1);
  return all;
}

function windowsOf(document: number, ids: Int32Array, window: number, stride: number): Window[] {
  const windows: Window[] = [];
  const positions = ids.length - 1;
  for (let scored = 0; scored < positions; ) {
    const end = scored === 0 ? Math.min(window, positions) : Math.min(scored + stride, positions);
    const start = Math.max(0, end - window);
    const targets = ids.slice(start + 1, end + 1).fill(-1, 0, scored - start);
    windows.push({ document, tokens: ids.slice(start, end), targets });
    scored = end;
  }
  return windows;
}

/** Nats of every window. */
async function scoreBatch(
  engine: Engine,
  model: LanguageModel,
  windows: Window[],
  padding: number,
): Promise<Float64Array> {
  const length = Math.max(...windows.map((window) => window.tokens.length));
  const tokens = new Int32Array(windows.length * length).fill(padding);
  const targets = new Int32Array(windows.length * length).fill(-1);
  windows.forEach((window, row) => {
    tokens.set(window.tokens, row * length);
    targets.set(window.targets, row * length);
  });
  const batch = { sequences: windows.length, length, tokens, targets };
  return engine.scope({ record: false }, async () => {
    const { losses } = nextTokenLoss(engine, model, batch, 1);
    // Summed in f64 on the host: the total must not depend on how windows were batched beyond f32 rounding of each.
    const sums = new Float64Array(windows.length);
    for (const [index, loss] of (await engine.backend.read(losses.tensor)).entries()) {
      sums[Math.floor(index / length)] += loss;
    }
    return sums;
  });
}
