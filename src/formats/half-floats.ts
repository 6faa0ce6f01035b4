/** 16-bit floats to 32-bit ones; every value is exact. */

/** Converts IEEE 754 binary16 bit patterns. */
export function floatsOfHalf(bits: Uint16Array): Float32Array {
  const result = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = bits[i] & 0x8000 ? -1 : 1;
    const exponent = (bits[i] >> 10) & 31;
    const fraction = bits[i] & 0x3ff;
    if (exponent === 31) result[i] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) result[i] = sign * fraction * 2 ** -24;
    else result[i] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return result;
}

/** Converts bfloat16 bit patterns: the upper halves of binary32. */
export function floatsOfBrainHalf(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16;
  return new Float32Array(words.buffer);
}
