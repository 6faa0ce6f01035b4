/** A task's log-likelihoods or written answers beside lm-evaluation-harness: the same checkpoint, requests and threads, both in f32. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createBackend, Engine } from "../src/engine/index.ts";
import { completeGreedily, itemsOf, readRows, scoreContinuations, taskNamed } from "../src/evaluation/index.ts";
import { UsageError } from "../src/foundation/index.ts";
import { prepareTokenizerKernels, readTokenizerJson } from "../src/tokenizer/index.ts";
import { loadWeights, readModelConfiguration } from "../src/training/index.ts";
import { type BenchmarkLine, compare, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { startPeer } from "./peer.ts";

const questions = 250;

export async function evaluate(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const [checkpoint, name, data] = options.arguments;
  if (data === undefined) {
    throw new UsageError("a checkpoint, a task and a file of its questions are needed", {
      remedy: "npm run bench -- eval <checkpoint folder> blimp adjunct_island.jsonl --peer",
    });
  }
  const task = taskNamed(name);
  const items = itemsOf(task, await readRows(data), data).slice(0, questions);
  const choices = items.flatMap((item) => ("choices" in item ? item.choices : []));
  const contexts = items.flatMap((item) => ("context" in item ? [item.context] : []));
  const threads = availableParallelism();
  await prepareTokenizerKernels();
  const backend = await createBackend("cpu", { threads, precision: "f32" });
  const { architecture, configuration } = readModelConfiguration(checkpoint);
  const engine = new Engine(backend, { use: { matrices: "f32" } });
  const model = architecture.create(engine, configuration);
  loadWeights(checkpoint, model);
  const tokenizer = readTokenizerJson(join(checkpoint, "tokenizer.json"));
  const writing = task.kind === "generation" ? task.generation : undefined;
  const score = () =>
    writing === undefined
      ? scoreContinuations(engine, model, tokenizer, choices, { greedy: true })
      : completeGreedily(engine, model, tokenizer, contexts, writing);
  await score();
  const requests = choices.map(({ context, continuation }) => [context, continuation]);
  const generation = writing && { until: writing.until, max_gen_toks: writing.maximumTokens, do_sample: false };
  const count = Math.max(choices.length, contexts.length);
  const comparison = await compare(
    async () => {
      const started = performance.now();
      await score();
      return (performance.now() - started) / 1000;
    },
    options.peer
      ? [1, 16, 64].map((batchSize) => ({
          setting: `batches of ${batchSize}`,
          start: () => startPeer("evaluate.py", { checkpoint, requests, contexts, generation, batchSize, threads }),
        }))
      : [],
    options.repetitions,
    options.warn,
  );
  backend.dispose();
  const { parameters } = architecture.dimensions(configuration);
  return lineOf(
    comparison,
    {
      name: "eval",
      config: `${name}, ${count} requests, ${(parameters / 1e6).toFixed(1)}M parameters, f32, ${threads} threads`,
      unit: "seconds",
      peerName: "lm-evaluation-harness",
      shareOfPeak: null,
    },
    {
      requestsPerSecond: count / comparison.tilth.median,
      peerRequestsPerSecond: comparison.peer && count / comparison.peer.median,
    },
  );
}
