import type { Kernels } from "../../backend.ts";
import { dropoutConstants } from "../../dropout.ts";
import { floats } from "./memory.ts";

/** 24 random bits of element `index`: murmur3's finalizer over index and key. */
function bitsOf(index: number, key: number): number {
  let hash = Math.imul(index + 1, 0x9e3779b9) ^ key;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 8;
}

export const dropouts: Pick<Kernels, "dropout"> = {
  dropout(out, x, probability, key) {
    const [to, from] = [floats(out, "dropout: out"), floats(x, "dropout: x")];
    if (from.length !== to.length) throw new RangeError(`dropout: length ${from.length} into ${to.length}`);
    const { limit, factor } = dropoutConstants(probability);
    for (let i = 0; i < to.length; i++) to[i] = bitsOf(i, key) < limit ? 0 : from[i] * factor;
  },
};
