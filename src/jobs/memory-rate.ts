/** How fast a backend moves memory. */
import { type Backend, tensorOver } from "../engine/index.ts";

/** Bytes a second of copying (read and written together) and of reading alone; best of five over 64 MB. */
export function measureMemory(backend: Backend): {
  readonly memoryBytesPerSecond: number;
  readonly memoryReadBytesPerSecond: number;
} {
  const bytes = 1 << 26;
  const storages = [bytes, bytes, 4].map((one) => backend.allocate(one));
  const [to, from] = storages.slice(0, 2).map((storage) => tensorOver(storage, [1 << 10, 1 << 14]));
  const sum = tensorOver(storages[2], [1]);
  backend.kernels.fill(from, 1);
  const bestOf = (work: () => void) => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5; round++) {
      const started = performance.now();
      work();
      best = Math.min(best, (performance.now() - started) / 1000);
    }
    return best;
  };
  const copying = bestOf(() => backend.kernels.copy(to, from));
  const reading = bestOf(() => backend.kernels.sum(sum, from));
  for (const storage of storages) backend.release(storage);
  return { memoryBytesPerSecond: (2 * bytes) / copying, memoryReadBytesPerSecond: bytes / reading };
}
