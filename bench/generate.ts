/** Text a token at a time, batch 1, beside llama.cpp on the same weights in bf16; prefill and batched decoding beside it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBackend, Engine } from "../src/engine/index.ts";
import { nextLogits } from "../src/generation/index.ts";
import { type LanguageModel, llama, llamaConfiguration } from "../src/models/index.ts";
import { loadWeights } from "../src/training/index.ts";
import { type BenchmarkLine, compare, lineOf, type PeerSetting } from "./compare.ts";
import { contextTokens, presetOf, writeSameModel } from "./llama-model.ts";
import type { BenchmarkOptions } from "./main.ts";
import { type PeerProcess, startPeerProcess } from "./peer.ts";

const promptTokens = 256;
const newTokens = 64;
const batch = 8;

export async function generate(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const [name, preset] = presetOf(options.preset);
  // Weights are bf16, as the peer's; activations stay f32, where the peer rounds them too.
  const backend = await createBackend("cpu", { precision: "f32" });
  const folder = mkdtempSync(join(tmpdir(), "tilth-bench-"));
  const peers: PeerProcess[] = [];
  try {
    const checkpoint = await writeSameModel(folder, backend, preset);
    const engine = new Engine(backend, { use: { matrices: "bf16" } });
    const configuration = llamaConfiguration.parse({ ...preset, context: contextTokens });
    const model = llama.create(engine, configuration) as LanguageModel;
    loadWeights(checkpoint, model);
    const { vocabularySize, parameters, matrixParameters } = model.architecture.dimensions(model.configuration);
    const prompt = Int32Array.from({ length: promptTokens }, (_, i) => (i * 7919 + 11) % Math.min(vocabularySize, 256));
    const settings: PeerSetting[] = [...new Set([backend.threads, Math.max(1, backend.threads >> 1)])].map(
      (threads) => ({
        setting: `${threads} threads`,
        async start() {
          const peer = await startPeerProcess("llama-cpp.mjs", {
            model: join(folder, "model.gguf"),
            contextTokens,
            threads,
          });
          peers.push(peer);
          const ask = (input: object) => peer.ask(JSON.stringify(input));
          await ask({ command: "greedy", tokens: [...prompt], count: 8 });
          return {
            version: String(peer.ready.version),
            time: async () =>
              Number((await ask({ command: "greedy", tokens: [...prompt], count: newTokens })).seconds) / newTokens,
            async end() {
              prefills.push(
                await fastest(options.repetitions, async () =>
                  Number((await ask({ command: "prefill", tokens: [...prompt] })).seconds),
                ),
              );
              return { peakRssBytes: Number((await ask({ command: "end" })).peakRssBytes) };
            },
          };
        },
      }),
    );
    const prefills: number[] = [];
    const decode = (sequences: number) => secondsPerToken(engine, model, prompt, sequences);
    await decode(1);
    const comparison = await compare(
      async () => (await decode(1)).decode,
      options.peer ? settings : [],
      options.repetitions,
      options.warn,
    );
    const prefill = await fastest(options.repetitions, async () => (await decode(1)).prefill);
    const together = await fastest(3, async () => (await decode(batch)).decode);
    const weightBytes = matrixParameters * 2;
    return lineOf(
      comparison,
      {
        name: "generate",
        config: `${name}: Llama ${(parameters / 1e6).toFixed(1)}M, bf16 weights, prompt ${promptTokens}, ${newTokens} new tokens, ${backend.description}`,
        unit: "seconds a token",
        peerName: "llama.cpp",
        shareOfPeak: weightBytes / comparison.tilth.median / (await memoryRate(engine, model)),
      },
      {
        tokensPerSecond: 1 / comparison.tilth.median,
        prefillTokensPerSecond: promptTokens / prefill,
        peerPrefillTokensPerSecond: prefills.length === 0 ? null : promptTokens / Math.min(...prefills),
        [`batch${batch}TokensPerSecond`]: batch / together,
        weightBytesPerSecond: weightBytes / comparison.tilth.median,
      },
    );
  } finally {
    for (const peer of peers) peer.kill();
    backend.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Seconds for the prompt of one sequence, and for one token of each of `sequences` sequences after it. */
async function secondsPerToken(engine: Engine, model: LanguageModel, prompt: Int32Array, sequences: number) {
  const cache = model.createCache(engine, promptTokens + newTokens, sequences);
  try {
    let prefill = 0;
    for (let sequence = 0; sequence < sequences; sequence++) {
      const began = performance.now();
      await nextLogits(engine, model, [{ sequence, tokens: prompt }], cache);
      prefill = (performance.now() - began) / 1000;
    }
    let tokens = Array.from({ length: sequences }, () => prompt[prompt.length - 1]);
    const started = performance.now();
    for (let made = 0; made < newTokens; made++) {
      const spans = tokens.map((token, sequence) => ({ sequence, tokens: Int32Array.of(token) }));
      tokens = (await nextLogits(engine, model, spans, cache)).map(likeliest);
    }
    return { prefill, decode: (performance.now() - started) / 1000 / newTokens };
  } finally {
    cache.dispose();
  }
}

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** Bytes of weights a second that one product over the largest matrix streams: what bounds decoding. */
async function memoryRate(engine: Engine, model: LanguageModel): Promise<number> {
  const weight = model.arena.get("embedding").tensor;
  const [rows, width] = weight.shape;
  return engine.scope({ record: false }, () => {
    const [out, x] = [engine.allocate([1, rows]), engine.allocate([1, width])];
    engine.backend.kernels.fill(x, 1);
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 20; i++) {
      const started = performance.now();
      engine.backend.kernels.matmul(out, x, weight, { transposeB: true });
      best = Math.min(best, (performance.now() - started) / 1000);
    }
    return (rows * width * 2) / best;
  });
}

async function fastest(repetitions: number, work: () => Promise<number>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repetitions; i++) best = Math.min(best, await work());
  return best;
}
