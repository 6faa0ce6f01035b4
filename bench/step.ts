/** What the benchmarks of a training step share: the clock, and the settings that a user of PyTorch may choose. */
import type { Backend } from "../src/engine/index.ts";
import type { PeerSetting } from "./compare.ts";
import { startPeer } from "./peer.ts";

/** Seconds of a piece of work, each time it is asked. */
export function timed(work: () => Promise<unknown>): () => Promise<number> {
  return async () => {
    const started = performance.now();
    await work();
    return (performance.now() - started) / 1000;
  };
}

/** Settings of a PyTorch peer on as many threads: precision no higher than ours, compiled or not. */
export function torchSettings(
  script: string,
  configuration: object,
  { precision, threads }: Pick<Backend, "precision" | "threads">,
): PeerSetting[] {
  const precisions = precision === "bf16" ? (["bf16", "f32"] as const) : (["f32"] as const);
  return precisions.flatMap((one) =>
    [false, true].map((compile) => ({
      setting: `${compile ? "torch.compile" : "eager"}, ${one === "bf16" ? "bf16 autocast" : "f32"}`,
      start: () => startPeer(script, { ...configuration, threads, precision: one, compile }),
    })),
  );
}
