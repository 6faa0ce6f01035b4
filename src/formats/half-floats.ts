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

/** Converts to IEEE 754 binary16, rounded to nearest even; values beyond its range become infinite. */
export function halvesOf(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const result = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const sign = (words[i] >>> 16) & 0x8000;
    const magnitude = words[i] & 0x7fffffff;
    if (magnitude > 0x7f800000) result[i] = sign | 0x7e00;
    else if (magnitude >= 0x477ff000) result[i] = sign | 0x7c00;
    else if (magnitude >= 0x38800000) {
      // Rebias the exponent by 112; half of the dropped bits, and the lowest kept one, decide the rounding.
      result[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else result[i] = sign | roundToEven(Math.abs(values[i]) * 2 ** 24);
  }
  return result;
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

/** Converts to bfloat16, rounded to nearest even. */
export function brainHalvesOf(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const result = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const notANumber = (words[i] & 0x7fffffff) > 0x7f800000;
    result[i] = notANumber ? (words[i] >>> 16) | 0x40 : (words[i] + 0x7fff + ((words[i] >>> 16) & 1)) >>> 16;
  }
  return result;
}
