/** Floats as the tensor types of GGUF store them. */
import { TilthError } from "../../foundation/index.ts";
import { brainHalvesOf, halvesOf } from "../half-floats.ts";
import { type GgufType, tensorTypes } from "./types.ts";

/** The bytes of `values` in a type; `width` is the length of the last axis. Throws TilthError where it has no whole blocks. */
export function encodeTensor(values: Float32Array, type: GgufType, width: number): Uint8Array {
  if (type === "F32") return bytesOf(values);
  if (type === "F16") return bytesOf(halvesOf(values));
  if (type === "BF16") return bytesOf(brainHalvesOf(values));
  const { blockElements } = tensorTypes[type];
  if (width % blockElements !== 0) {
    throw new TilthError(`rows of ${width} elements are no whole blocks of ${blockElements}, as ${type} needs them`);
  }
  return quantizeToEightBits(values);
}

function bytesOf(data: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Q8_0: blocks of 32 signed bytes behind a binary16 scale, the largest magnitude of the block at 127. */
function quantizeToEightBits(values: Float32Array): Uint8Array {
  const { blockElements, blockBytes } = tensorTypes.Q8_0;
  const blocks = values.length / blockElements;
  const scales = new Float32Array(blocks);
  const out = new Uint8Array(blocks * blockBytes);
  for (let block = 0; block < blocks; block++) {
    const first = block * blockElements;
    let largest = 0;
    for (let i = first; i < first + blockElements; i++) largest = Math.max(largest, Math.abs(values[i]));
    const scale = Math.fround(largest / 127);
    scales[block] = scale;
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    for (let i = 0; i < blockElements; i++) {
      const scaled = Math.fround(values[first + i] * inverse);
      // Halves away from zero, as C's roundf: the same bits as llama.cpp's quantiser.
      out[block * blockBytes + 2 + i] = Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5);
    }
  }
  const halves = halvesOf(scales);
  const view = new DataView(out.buffer);
  for (let block = 0; block < blocks; block++) view.setUint16(block * blockBytes, halves[block], true);
  return out;
}
