/** Which training documents an output of a checkpoint comes near to: word for word, and by the checkpoint's own representation. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Backend } from "../engine/index.ts";
import { type Progress, TilthError } from "../foundation/index.ts";
import { generateBatch } from "../generation/index.ts";
import { openVectors, type SearchHit } from "../retrieval/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import { embedDocuments } from "./embed-documents.ts";
import { openEmbedder, requireSameModel } from "./embedder.ts";
import type { DeviceOptions, Job, JobContext } from "./job.ts";
import { type RunUpTo, trainingRunOf } from "./lineage.ts";
import { placesOf } from "./run-folder.ts";
import { poolingOf } from "./search.ts";
import { findTrainedSpans, type TrainedSpan } from "./training-documents.ts";

export interface InfluenceInput {
  readonly checkpoint: string;
  /** Texts that the checkpoint is said to have written, or prompts that it continues greedily. */
  readonly asked: { readonly outputs: readonly string[] } | { readonly prompts: readonly string[] };
  /** Tokens that are written after a prompt. */
  readonly maximumTokens: number;
  /** Shorter stretches are not told. */
  readonly minimumTokens: number;
  /** Documents and stretches that are told of each output. */
  readonly top: number;
  /** Vectors of the run's documents: made there where they are missing; `retrieval/<step>.parquet` of the run if left out. */
  readonly vectors?: string;
  /** Whether documents are looked for by representation, too. */
  readonly nearest: boolean;
  readonly device: DeviceOptions;
}

/** One output. */
export interface Influences {
  readonly prompt: string | null;
  readonly output: string;
  readonly tokens: number;
  /** Longest first. */
  readonly spans: readonly (Omit<TrainedSpan, "sequence"> & { readonly text: string })[];
  /** Share of the output's tokens that some stretch covers. */
  readonly covered: number;
  /** Nearest first; empty where it was not asked for. */
  readonly nearest: readonly SearchHit[];
}

export interface InfluenceOutput {
  readonly run: string;
  readonly step: number;
  /** Tokens of training text that were searched. */
  readonly searchedTokens: number;
  /** Shards that a take-down replaced since. */
  readonly gone: readonly string[];
  readonly vectors: string | null;
  readonly outputs: readonly Influences[];
}

export const influenceJob: Job<InfluenceInput, Progress, InfluenceOutput> = {
  name: "influence",
  async run(input, context) {
    const run = await trainingRunOf(input.checkpoint);
    const backend = await openDevice(input.device, () => {});
    try {
      const { tokenizer } = loadModel(input.checkpoint, backend);
      const written = await outputsOf(input, backend);
      const tokens = written.map(({ output }) => tokenizer.encode(output));
      const {
        spans,
        tokens: searchedTokens,
        gone,
      } = await findTrainedSpans(run, tokens, input.minimumTokens, context.emit);
      const near = input.nearest ? await nearestTo(input, run, written, backend, context) : undefined;
      const outputs = written.map(({ prompt, output }, index): Influences => {
        const own = spans.filter(({ sequence }) => sequence === index);
        return {
          ...{ prompt, output, tokens: tokens[index].length, covered: coveredShare(own, tokens[index].length) },
          spans: distinct(
            own.map(({ sequence: _, ...span }) => ({
              ...span,
              text: tokenizer.decode(tokens[index].subarray(span.start, span.start + span.length)),
            })),
          ).slice(0, input.top),
          nearest: near?.hits[index] ?? [],
        };
      });
      return { run: run.runFolder, step: run.step, searchedTokens, gone, vectors: near?.vectors ?? null, outputs };
    } finally {
      backend.dispose();
    }
  },
};

/** What stands in an output several times is told once; longest first. */
export function distinct<Span extends { readonly text: string; readonly length: number }>(
  spans: readonly Span[],
): Span[] {
  const byText = new Map(spans.toReversed().map((span) => [span.text, span]));
  return [...byText.values()].sort((a, b) => b.length - a.length);
}

/** Share of `tokens` positions inside some span. */
export function coveredShare(
  spans: readonly { readonly start: number; readonly length: number }[],
  tokens: number,
): number {
  const inside = new Uint8Array(tokens);
  for (const { start, length } of spans) inside.fill(1, start, start + length);
  return tokens === 0 ? 0 : inside.reduce((sum, one) => sum + one, 0) / tokens;
}

async function outputsOf(
  { checkpoint, asked, maximumTokens }: InfluenceInput,
  backend: Backend,
): Promise<{ readonly prompt: string | null; readonly output: string }[]> {
  if ("outputs" in asked) return asked.outputs.map((output) => ({ prompt: null, output }));
  const { engine, model, tokenizer } = loadModel(checkpoint, backend);
  if (model.architecture.family !== "decoder") {
    throw new TilthError(`${checkpoint} does not write text`, { remedy: "Give its texts with --output." });
  }
  const { endOfText, vocabularySize } = tokenizer;
  const starts = asked.prompts.map((prompt) => Int32Array.of(endOfText, ...tokenizer.encode(prompt)));
  const made: number[][] = starts.map(() => []);
  const options = { temperature: 0, topP: 1, topK: 0, seed: 0, maximumTokens, endOfText, vocabularySize };
  for await (const { prompt, token } of generateBatch(engine, model, starts, options)) made[prompt].push(token);
  return asked.prompts.map((prompt, index) => ({ prompt, output: tokenizer.decode(Int32Array.from(made[index])) }));
}

async function nearestTo(
  { checkpoint, vectors, top }: InfluenceInput,
  { runFolder, step }: RunUpTo,
  written: readonly { readonly output: string }[],
  backend: Backend,
  context: Pick<JobContext<Progress>, "emit" | "shouldStop">,
): Promise<{ readonly vectors: string; readonly hits: readonly (readonly SearchHit[])[] }> {
  const file = vectors ?? join(runFolder, "retrieval", `${step}.parquet`);
  if (!existsSync(file)) {
    const embedder = openEmbedder(checkpoint, backend, "mean");
    await embedDocuments({ checkpoint, of: { corpus: placesOf(runFolder).corpus }, out: file }, embedder, context);
  }
  const index = await openVectors(file);
  try {
    await requireSameModel(checkpoint, index.description);
    const embedder = openEmbedder(checkpoint, backend, poolingOf(index.description));
    const found = await embedder.texts(written.map(({ output }) => output));
    const hits: SearchHit[][] = [];
    for (const [row] of written.entries()) {
      hits.push(await index.nearest(found.subarray(row * embedder.width, (row + 1) * embedder.width), { top }));
    }
    return { vectors: file, hits };
  } finally {
    index.close();
  }
}
