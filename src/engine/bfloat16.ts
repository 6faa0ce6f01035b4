/** bfloat16 on the host: the upper half of an f32, rounded to nearest even. */

/** The bits of the nearest bfloat16 of every number; a NaN stays one. */
export function encodeBfloat16(numbers: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  return Uint16Array.from(bits, (one, i) =>
    Number.isNaN(numbers[i]) ? (one >>> 16) | 0x40 : (one + 0x7fff + ((one >>> 16) & 1)) >>> 16,
  );
}

/** The numbers that bfloat16 bits stand for. */
export function decodeBfloat16(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}
