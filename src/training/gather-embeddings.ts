/** Embeddings of all ranks on each of them. */
import type { Communicator } from "../cluster/index.ts";
import { type Backend, tensorOver } from "../engine/index.ts";
import type { Embeddings, Gathering } from "../objectives/index.ts";

/** Pairs of the ranks before this one, and of all. They may differ: an image that cannot be decoded is left out. */
export function rowsBefore(ranks: Communicator, own: number): { readonly before: number; readonly total: number } {
  const counts = ranks.sum(Array.from({ length: ranks.size }, (_, rank) => (rank === ranks.rank ? own : 0)));
  const sum = (some: readonly number[]) => some.reduce((whole, count) => whole + count, 0);
  return { before: sum(counts.slice(0, ranks.rank)), total: sum(counts) };
}

/** Gathers over `ranks`; undefined for one rank, which has all. */
export function gatheringOver(ranks: Communicator, backend: Backend): Gathering | undefined {
  if (ranks.size === 1) return undefined;
  return {
    isFirst: ranks.rank === 0,
    async gather({ images, texts, width }) {
      const { before: firstRow, total } = rowsBefore(ranks, images.length / width);
      const size = total * width;
      // A sum with nothing but zeros elsewhere is a copy, to the bit.
      const both = new Float32Array(2 * size);
      both.set(images, firstRow * width);
      both.set(texts, size + firstRow * width);
      const block = backend.allocate(both.byteLength);
      try {
        const tensor = tensorOver(block, [both.length]);
        backend.write(tensor, both);
        await ranks.allReduce(backend, tensor, "f32");
        const gathered = await backend.read(tensor);
        const all: Embeddings = { images: gathered.slice(0, size), texts: gathered.slice(size), width };
        return { all, firstRow };
      } finally {
        backend.release(block);
      }
    },
  };
}
