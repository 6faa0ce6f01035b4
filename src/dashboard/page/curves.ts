/** What is drawn of a curve: smoothed, and no more points than there are pixels. No part of the page: plain numbers. */

/** One curve: `rows` of its arrays count. x rises; what y does not have is NaN. */
export interface Curve {
  readonly x: Float64Array;
  readonly y: Float32Array;
  readonly rows: number;
}

/** A window on the x axis. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** uPlot's form: shared x, then a column for each curve; null where it has no value. */
export type Aligned = [number[], ...(number | null)[][]];

/**
 * Exponential moving average with the bias of its start taken out, as TensorBoard has it; NaN stays NaN and is passed over.
 * Extended as the curve grows.
 */
export class Smoothed {
  private values = new Float32Array(64);
  private done = 0;
  private average = 0;
  private weight = 0;

  constructor(private readonly factor: number) {}

  of({ y, rows }: Curve): Float32Array {
    if (this.values.length < rows) {
      const grown = new Float32Array(Math.max(rows, this.values.length * 2));
      grown.set(this.values.subarray(0, this.done));
      this.values = grown;
    }
    for (; this.done < rows; this.done++) {
      const value = y[this.done];
      if (!Number.isNaN(value)) {
        this.average = this.factor * this.average + (1 - this.factor) * value;
        this.weight = this.factor * this.weight + (1 - this.factor);
      }
      this.values[this.done] = Number.isNaN(value) ? value : this.average / this.weight;
    }
    return this.values;
  }
}

/** The x values that all curves cover together; undefined where there are none. `positive`: a log axis begins above 0. */
export function extentOf(curves: readonly Curve[], positive = false): Range | undefined {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { x, rows } of curves) {
    const first = positive ? firstAbove(x, rows, 0) : 0;
    if (first >= rows) continue;
    min = Math.min(min, x[first]);
    max = Math.max(max, x[rows - 1]);
  }
  return min <= max ? { min, max } : undefined;
}

/**
 * The curves inside a window. Where they have more points than `pixels` can show, each pixel keeps the lowest and the highest of
 * every curve, in the order in which they came: no peak is lost.
 */
export function align(
  curves: readonly Curve[],
  { min, max }: Range,
  pixels: number,
  axes: { readonly logX?: boolean; readonly logY?: boolean } = {},
): Aligned {
  const shown = curves.map(({ x, rows }) => {
    // One point beyond each edge, so that lines leave the picture where they should.
    const from = Math.max(axes.logX ? firstAbove(x, rows, 0) : 0, firstFrom(x, rows, min) - 1);
    return { from, to: Math.min(rows, firstAbove(x, rows, max) + 1) };
  });
  const most = Math.max(0, ...shown.map(({ from, to }) => to - from));
  const keep = (value: number) => (Number.isNaN(value) || (axes.logY && value <= 0) ? null : value);
  return most <= 2 * pixels ? exact(curves, shown, keep) : decimated(curves, shown, { min, max }, pixels, axes, keep);
}

type Shown = readonly { readonly from: number; readonly to: number }[];
type Keep = (value: number) => number | null;

function exact(curves: readonly Curve[], shown: Shown, keep: Keep): Aligned {
  const all = new Set<number>();
  for (const [index, { x }] of curves.entries()) {
    for (let row = shown[index].from; row < shown[index].to; row++) all.add(x[row]);
  }
  const xs = [...all].sort((a, b) => a - b);
  const place = new Map(xs.map((value, index) => [value, index]));
  const columns = curves.map(({ x, y }, index) => {
    const column = new Array<number | null>(xs.length).fill(null);
    for (let row = shown[index].from; row < shown[index].to; row++) column[place.get(x[row])!] = keep(y[row]);
    return column;
  });
  return [xs, ...columns];
}

function decimated(
  curves: readonly Curve[],
  shown: Shown,
  { min, max }: Range,
  pixels: number,
  { logX = false }: { readonly logX?: boolean },
  keep: Keep,
): Aligned {
  const [onto, back] = logX ? [Math.log, Math.exp] : [(x: number) => x, (x: number) => x];
  const [low, high] = [onto(Math.max(min, logX ? Number.MIN_VALUE : min)), onto(max)];
  const scale = pixels / (high - low || 1);
  // Two places a pixel, and one beyond each edge.
  const places = 2 * pixels + 4;
  const xs = Array.from({ length: places }, (_, place) =>
    back(low + ((place >> 1) - 1 + (place % 2 === 0 ? 0.25 : 0.75)) / scale),
  );
  const columns = curves.map(({ x, y }, index) => {
    const column = new Array<number | null>(places).fill(null);
    const { from, to } = shown[index];
    for (let row = from; row < to; ) {
      const pixel = Math.min(pixels, Math.max(-1, Math.floor((onto(x[row]) - low) * scale)));
      const end = pixel === pixels ? to : firstFrom(x, to, back(low + (pixel + 1) / scale), row + 1);
      let [least, most] = [-1, -1];
      for (let i = row; i < end; i++) {
        const value = y[i];
        if (Number.isNaN(value)) continue;
        if (least < 0 || value < y[least]) least = i;
        if (most < 0 || value > y[most]) most = i;
      }
      if (least >= 0) {
        const place = 2 * (pixel + 1);
        column[place] = keep(y[Math.min(least, most)]);
        if (most !== least) column[place + 1] = keep(y[Math.max(least, most)]);
      }
      row = end;
    }
    return column;
  });
  return [xs, ...columns];
}

/** First row from `start` on whose x is at least `value`; `rows` where there is none. */
function firstFrom(x: Float64Array, rows: number, value: number, start = 0): number {
  let [low, high] = [start, rows];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAbove(x: Float64Array, rows: number, value: number): number {
  let [low, high] = [0, rows];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
