/** A server with several clients at once, beside llama.cpp's own batching on the same weights in bf16. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBackend } from "../src/engine/index.ts";
import { quantile, UsageError } from "../src/foundation/index.ts";
import { ModelClient, startServer } from "../src/server/index.ts";
import { type BenchmarkLine, compare, lineOf, type PeerSetting } from "./compare.ts";
import { presetOf, writeSameModel } from "./llama-model.ts";
import type { BenchmarkOptions } from "./main.ts";
import { type PeerProcess, startPeerProcess } from "./peer.ts";

const [promptTokens, newTokens] = [64, 32];

/** What all clients waited for. */
interface Round {
  readonly seconds: number;
  readonly tokens: number;
  /** Seconds until the first token of each. */
  readonly first: readonly number[];
}

/** `bench -- serve <clients>`: eight if left out. Tilth answers over HTTP, llama.cpp within its own process. */
export async function serveBenchmark(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const [name, preset] = presetOf(options.preset);
  const clients = Number(options.arguments[0] ?? 8);
  if (!(Number.isInteger(clients) && clients > 0))
    throw new UsageError(`${options.arguments[0]} is no number of clients`);
  const folder = mkdtempSync(join(tmpdir(), "tilth-bench-"));
  const peers: PeerProcess[] = [];
  const writer = await createBackend("cpu", { precision: "f32" });
  const { threads, description } = writer;
  try {
    const checkpoint = await writeSameModel(folder, writer, preset);
    writer.dispose();
    const prompts = Array.from({ length: clients }, (_, client) =>
      Array.from({ length: promptTokens }, (_, i) => (i * 7919 + client * 31 + 11) % 256),
    );
    const client = await ModelClient.open(
      {
        ...{ checkpoint, device: { backend: "cpu", threads, precision: "auto" }, weights: "bf16" },
        ...{ slots: clients, slotTokens: promptTokens + newTokens },
      },
      { waiting: clients, onWarning: options.warn },
    );
    const server = await startServer(client, {
      ...{ name, host: "127.0.0.1", port: 0, apiKeys: [] },
      ...{ maximumBodyBytes: 1e6, maximumConnections: 4096, requestSeconds: 600, readSeconds: 60, drainSeconds: 0 },
    });
    const [ours, theirs]: Round[][] = [[], []];
    const round = async () => {
      const made = await askedTogether(server.url, name, prompts);
      ours.push(made);
      return (made.seconds / made.tokens) * clients * newTokens;
    };
    await round();
    ours.pop();
    const setting: PeerSetting = {
      setting: `${threads} threads, ${clients} sequences`,
      async start() {
        const settings = { contextTokens: promptTokens + newTokens + 8, threads, sequences: clients };
        const peer = await startPeerProcess("llama-cpp.mjs", { model: join(folder, "model.gguf"), ...settings });
        peers.push(peer);
        const ask = (input: object) => peer.ask(JSON.stringify(input));
        const together = async () =>
          (await ask({ command: "together", prompts, count: newTokens })) as unknown as Round;
        await together();
        return {
          version: String(peer.ready.version),
          async time() {
            const made = await together();
            theirs.push(made);
            return made.seconds;
          },
          end: async () => ({ peakRssBytes: Number((await ask({ command: "end" })).peakRssBytes) }),
        };
      },
    };
    const comparison = await compare(round, options.peer ? [setting] : [], options.repetitions, options.warn);
    await server.close();
    await client.close();
    const first = (rounds: readonly Round[], share: number) =>
      quantile(
        rounds.flatMap((one) => one.first),
        share,
      );
    const tokens = clients * newTokens;
    return lineOf(
      comparison,
      {
        name: "serve",
        config: `${name}, bf16 weights, ${clients} clients, prompt ${promptTokens}, ${newTokens} new tokens each, ${description}`,
        unit: "seconds for all",
        peerName: "llama.cpp",
        shareOfPeak: null,
      },
      {
        tokensPerSecond: tokens / comparison.tilth.median,
        peerTokensPerSecond: comparison.peer && tokens / comparison.peer.median,
        firstTokenSeconds: { p50: first(ours, 0.5), p99: first(ours, 0.99) },
        peerFirstTokenSeconds: theirs.length === 0 ? null : { p50: first(theirs, 0.5), p99: first(theirs, 0.99) },
      },
    );
  } finally {
    for (const peer of peers) peer.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All clients ask at once and read their streams to the end. */
async function askedTogether(url: string, model: string, prompts: readonly (readonly number[])[]): Promise<Round> {
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const each = await Promise.all(
    prompts.map(async (prompt) => {
      const stream = { stream: true, stream_options: { include_usage: true } };
      const body = { model, prompt, max_tokens: newTokens, temperature: 0, ...stream };
      const response = await fetch(`${url}/v1/completions`, { method: "POST", body: JSON.stringify(body) });
      let first = 0;
      let text = "";
      for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
        if (first === 0) first = elapsed();
        text += part;
      }
      return { first, tokens: Number(/"completion_tokens":(\d+)/.exec(text)?.[1] ?? 0) };
    }),
  );
  const tokens = each.reduce((sum, one) => sum + one.tokens, 0);
  return { seconds: elapsed(), tokens, first: each.map(({ first }) => first) };
}
