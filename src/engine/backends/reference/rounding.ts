import type { Precision } from "../../backend.ts";

/** What a number is in a matrix product of that precision: itself, or the nearest bfloat16 (ties to even). */
export function roundingOf(precision: Precision): (value: number) => number {
  if (precision === "f32") return (value) => value;
  const number = new Float32Array(1);
  const bits = new Uint32Array(number.buffer);
  return (value) => {
    number[0] = value;
    if (Number.isNaN(value)) return value;
    bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
    return number[0];
  };
}
