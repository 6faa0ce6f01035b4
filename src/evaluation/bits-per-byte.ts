/** Bits per byte on held-out documents: comparable between tokenizers and with compressors. */
import type { Engine } from "../engine/index.ts";
import type { ProgressListener } from "../foundation/index.ts";
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

/** Scores over all documents. */
export interface LikelihoodResult {
  readonly bitsPerByte: number;
  /** exp(mean loss in nats a token) */
  readonly perplexity: number;
  readonly tokens: number;
  readonly bytes: number;
  readonly documents: number;
}

interface Window {
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
  documents: Iterable<{ readonly ids: Int32Array; readonly bytes: number }>,
  endOfText: number,
  options: WindowOptions,
): Promise<LikelihoodResult> {
  let nats = 0;
  let tokens = 0;
  let bytes = 0;
  let count = 0;
  const windows: Window[] = [];
  for (const document of documents) {
    const ids = withEndOfText(document.ids, endOfText);
    windows.push(...windowsOf(ids, options.window, options.stride));
    tokens += ids.length - 1;
    bytes += document.bytes;
    count += 1;
  }
  // Windows of like length share a batch, so that little is computed for padding. The order has no influence on scores.
  windows.sort((a, b) => b.tokens.length - a.tokens.length);
  for (let first = 0; first < windows.length; first += options.batchWindows) {
    nats += await scoreBatch(engine, model, windows.slice(first, first + options.batchWindows), endOfText);
    const done = Math.min(first + options.batchWindows, windows.length);
    options.onProgress?.({ stage: "evaluating", done, total: windows.length, unit: "windows" });
  }
  return {
    bitsPerByte: nats / Math.LN2 / bytes,
    perplexity: Math.exp(nats / tokens),
    tokens,
    bytes,
    documents: count,
  };
}

function withEndOfText(ids: Int32Array, endOfText: number): Int32Array {
  const body = ids.length > 0 && ids[ids.length - 1] === endOfText ? ids.subarray(0, -1) : ids;
  const all = new Int32Array(body.length + 2).fill(endOfText);
  all.set(body, 1);
  return all;
}

function windowsOf(ids: Int32Array, window: number, stride: number): Window[] {
  const windows: Window[] = [];
  const positions = ids.length - 1;
  for (let scored = 0; scored < positions; ) {
    const end = scored === 0 ? Math.min(window, positions) : Math.min(scored + stride, positions);
    const start = Math.max(0, end - window);
    const targets = ids.slice(start + 1, end + 1).fill(-1, 0, scored - start);
    windows.push({ tokens: ids.slice(start, end), targets });
    scored = end;
  }
  return windows;
}

async function scoreBatch(engine: Engine, model: LanguageModel, windows: Window[], padding: number): Promise<number> {
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
    let sum = 0;
    for (const loss of await engine.backend.read(losses.tensor)) sum += loss;
    return sum;
  });
}
