/**
 * Bicubic resampling with antialiasing, bit for bit as Pillow does it for 8-bit images (a = −0.5, coefficients of 22 bits, a
 * pass along rows, then one along columns). sharp's own enlargement is shifted by half a pixel, and its start costs more than
 * all of the arithmetic of a thumbnail.
 */

/** An image of interleaved 8-bit RGB: [height, width, 3]. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** A rectangle of an image in whole pixels. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const channels = 3;
const precisionBits = 22;
const half = 2 ** (precisionBits - 1);

/** For each output position the first input position and the fixed-point coefficients of its neighbours. */
interface Kernel {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** [outputs, most neighbours] */
  readonly coefficients: Float64Array;
  readonly stride: number;
}

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

function kernelOf(inputs: number, outputs: number): Kernel {
  const scale = inputs / outputs;
  // An output pixel looks at as much of the input as it covers: that is the antialiasing.
  const reach = Math.max(scale, 1);
  const support = 2 * reach;
  const stride = Math.ceil(support) * 2 + 1;
  const [first, count] = [new Int32Array(outputs), new Int32Array(outputs)];
  const coefficients = new Float64Array(outputs * stride);
  for (let output = 0; output < outputs; output++) {
    const center = (output + 0.5) * scale;
    const from = Math.max(0, Math.trunc(center - support + 0.5));
    const to = Math.min(inputs, Math.trunc(center + support + 0.5));
    let total = 0;
    for (let i = from; i < to; i++) total += cubic((i - center + 0.5) / reach);
    for (let i = from; i < to; i++) {
      const share = (cubic((i - center + 0.5) / reach) / total) * 2 ** precisionBits;
      coefficients[output * stride + i - from] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    }
    first[output] = from;
    count[output] = to - from;
  }
  return { first, count, coefficients, stride };
}

/** Rounded to a byte. */
function clipped(sum: number): number {
  const value = Math.floor((sum + half) / 2 ** precisionBits);
  return value < 0 ? 0 : Math.min(value, 255);
}

/** The region of an image at another size. Pixels outside of the region take no part. */
export function resampleBicubic(source: RawImage, region: Region, width: number, height: number): RawImage {
  const across = kernelOf(region.width, width);
  const down = kernelOf(region.height, height);
  const rows = new Uint8Array(region.height * width * channels);
  for (let y = 0; y < region.height; y++) {
    const start = ((region.top + y) * source.width + region.left) * channels;
    for (let x = 0; x < width; x++) {
      let [red, green, blue] = [0, 0, 0];
      const base = x * across.stride;
      let at = start + across.first[x] * channels;
      for (let i = 0; i < across.count[x]; i++, at += channels) {
        const share = across.coefficients[base + i];
        red += share * source.data[at];
        green += share * source.data[at + 1];
        blue += share * source.data[at + 2];
      }
      const to = (y * width + x) * channels;
      rows[to] = clipped(red);
      rows[to + 1] = clipped(green);
      rows[to + 2] = clipped(blue);
    }
  }
  const data = new Uint8Array(height * width * channels);
  const sums = new Float64Array(width * channels);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let i = 0; i < down.count[y]; i++) {
      const share = down.coefficients[y * down.stride + i];
      const from = (down.first[y] + i) * sums.length;
      for (let x = 0; x < sums.length; x++) sums[x] += share * rows[from + x];
    }
    for (let x = 0; x < sums.length; x++) data[y * sums.length + x] = clipped(sums[x]);
  }
  return { width, height, data };
}
