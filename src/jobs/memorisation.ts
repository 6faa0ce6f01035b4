/**
 * Whether a checkpoint recites what it was trained on: samples of it, with and without the beginning of a training document before
 * them, and the stretches of them that stand in the training shards word for word (Carlini et al. 2021, 2023).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openMegatronShard } from "../formats/index.ts";
import {
  bootstrapMean,
  type Estimate,
  InterruptedError,
  type Progress,
  Random,
  TilthError,
} from "../foundation/index.ts";
import { generateBatch, type SamplingOptions } from "../generation/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import { readingsOf } from "./document-map.ts";
import { coveredShare, distinct } from "./influence.ts";
import type { DeviceOptions, Job, JobContext } from "./job.ts";
import { type RunUpTo, trainingRunOf } from "./lineage.ts";
import { placesOf } from "./run-folder.ts";
import { findTrainedSpans, type TrainedSpan } from "./training-documents.ts";

export interface MemorisationInput {
  readonly checkpoint: string;
  /** Of each kind. */
  readonly samples: number;
  /** Tokens of a training document that stand before a prompted sample. */
  readonly prefixTokens: number;
  /** Tokens of a sample; fewer where the model's context is full. */
  readonly maximumTokens: number;
  /** Shorter stretches do not count. */
  readonly minimumTokens: number;
  readonly seed: number;
  readonly device: DeviceOptions;
}

/** Samples of one kind. */
export interface MemorisedSamples {
  readonly samples: number;
  /** Share of samples with such a stretch. */
  readonly memorised: Estimate;
  /** Share of the samples' tokens inside such stretches. */
  readonly tokens: number;
}

export interface MemorisationOutput {
  readonly minimumTokens: number;
  readonly searchedTokens: number;
  readonly gone: readonly string[];
  /** Sampled at temperature 1 from the beginning of a document. */
  readonly unprompted: MemorisedSamples;
  /** The likeliest continuation of the beginning of training documents. */
  readonly prompted: MemorisedSamples;
  /** Longest first. */
  readonly spans: readonly (Omit<TrainedSpan, "sequence"> & { readonly prompted: boolean; readonly text: string })[];
}

/** Samples that are written together. */
const batch = 16;

export const memorisationJob: Job<MemorisationInput, Progress, MemorisationOutput> = {
  name: "memorisation",
  async run(input, context) {
    const run = await trainingRunOf(input.checkpoint);
    const { samples, prefixTokens, minimumTokens, seed } = input;
    const backend = await openDevice(input.device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      const { context: room } = model.architecture.dimensions(model.configuration);
      if (model.architecture.family !== "decoder") throw new TilthError(`${input.checkpoint} does not write text`);
      const maximumTokens = Math.min(input.maximumTokens, room - prefixTokens - 1);
      if (maximumTokens < minimumTokens) {
        throw new TilthError(
          `a context of ${room} tokens has no room for ${prefixTokens} before a stretch of ${minimumTokens}`,
          { remedy: "Lower --prefix-tokens or --minimum-tokens." },
        );
      }
      const { endOfText, vocabularySize } = tokenizer;
      const write = async (prompts: readonly Int32Array[], sampling: SamplingOptions, done: number) => {
        const made: number[][] = prompts.map(() => []);
        for (let first = 0; first < prompts.length; first += batch) {
          report(context, done + first, 2 * samples);
          const some = prompts.slice(first, first + batch);
          const options = { ...sampling, seed: seed + first, maximumTokens, endOfText, vocabularySize };
          for await (const { prompt, token } of generateBatch(engine, model, some, options)) {
            made[first + prompt].push(token);
          }
        }
        return made.map((tokens) => Int32Array.from(tokens));
      };
      const free = { temperature: 1, topP: 1, topK: 0 };
      const unprompted = await write(
        Array.from({ length: samples }, () => Int32Array.of(endOfText)),
        free,
        0,
      );
      const beginnings = prefixesOf(run, { ...input, endOfText });
      const prompted = await write(beginnings, { ...free, temperature: 0 }, samples);
      const sequences = [...unprompted, ...prompted];
      const found = await findTrainedSpans(run, sequences, minimumTokens, context.emit);
      const { tokens, gone } = found;
      // What no step has seen yet cannot have been learned by heart.
      const spans = found.spans.filter(({ places }) => places.some(({ passes }) => passes !== 0));
      const figures = (first: number, count: number): MemorisedSamples => {
        const own = (sample: number) => spans.filter(({ sequence }) => sequence === sample);
        const each = Array.from({ length: count }, (_, index) => ({
          length: sequences[first + index].length,
          spans: own(first + index),
        }));
        const length = each.reduce((sum, one) => sum + one.length, 0);
        const covered = each.reduce((sum, one) => sum + coveredShare(one.spans, one.length) * one.length, 0);
        return {
          samples: count,
          memorised: bootstrapMean(each.map((one) => (one.spans.length > 0 ? 1 : 0))),
          tokens: length === 0 ? 0 : covered / length,
        };
      };
      return {
        ...{ minimumTokens, searchedTokens: tokens, gone },
        unprompted: figures(0, unprompted.length),
        prompted: figures(unprompted.length, prompted.length),
        spans: distinct(
          spans.map(({ sequence, ...span }) => ({
            ...span,
            prompted: sequence >= unprompted.length,
            text: tokenizer.decode(sequences[sequence].subarray(span.start, span.start + span.length)),
          })),
        ),
      };
    } finally {
      backend.dispose();
    }
  },
};

function report({ emit, shouldStop }: Pick<JobContext<Progress>, "emit" | "shouldStop">, done: number, total: number) {
  if (shouldStop()) throw new InterruptedError("stopped; nothing was found out");
  emit({ stage: "writing samples", done, total, unit: "samples" });
}

/** The first tokens of training documents, drawn with `seed` among those that have that many and as many again to recite. */
function prefixesOf(
  { runFolder, step }: RunUpTo,
  { samples, prefixTokens, minimumTokens, seed, endOfText }: MemorisationInput & { readonly endOfText: number },
): Int32Array[] {
  const { shards } = placesOf(runFolder);
  const prefix = readingsOf(runFolder, step)
    .map(({ shard }) => join(shards, shard))
    .find((one) => existsSync(`${one}.idx`));
  if (prefix === undefined) {
    throw new TilthError(`the token shards of ${runFolder} are not there`, {
      remedy: "Train again, or run this where the run is.",
    });
  }
  const shard = openMegatronShard(prefix);
  try {
    const long = [...shard.lengths.keys()].filter((index) => shard.lengths[index] >= prefixTokens + minimumTokens);
    if (long.length === 0) {
      throw new TilthError(`no training document has ${prefixTokens + minimumTokens} tokens`, {
        remedy: "Lower --prefix-tokens or --minimum-tokens.",
      });
    }
    const random = new Random(seed, 0x6d656d);
    return Array.from({ length: samples }, () => {
      const tokens = shard.read(long[random.below(long.length)]);
      const begun = tokens[0] === endOfText ? tokens : Int32Array.of(endOfText, ...tokens);
      return begun.slice(0, prefixTokens + 1);
    });
  } finally {
    shard.close();
  }
}
