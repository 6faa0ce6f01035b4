/** Preference tuning of a checkpoint: DPO or IPO against a reference whose log-probabilities are computed once. */
import { existsSync, readFileSync } from "node:fs";
import {
  type AdaptationReport,
  adaptToPreferences,
  describeData,
  describeParent,
  heldOut,
  type PreferenceSettings,
  preferencePairs,
  prepareModel,
  referenceLogProbabilities,
  saveAdapted,
  type TokenPair,
  tokenPair,
} from "../adaptation/index.ts";
import { readRows } from "../evaluation/index.ts";
import { canonicalJson, hashOf, TilthError, writeFileAtomically } from "../foundation/index.ts";
import {
  behaviourFor,
  type ChatOptions,
  chatTemplateFor,
  referenceFor,
  requireDecoder,
  templateFiles,
} from "./adapt-chat.ts";
import {
  type AdaptCommonInput,
  type AdaptEvent,
  generalLossFor,
  lengthFor,
  loadForAdaptation,
  reportBasis,
  requireNoOutput,
  warnOfProfanity,
} from "./adapt-common.ts";
import type { LoadedModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { Job } from "./job.ts";

export interface AdaptPreferencesInput extends AdaptCommonInput {
  /** Rows of `prompt`, `chosen` and `rejected`, or of two whole conversations. */
  readonly train: string;
  readonly preference: PreferenceSettings;
  readonly chat: ChatOptions;
  /** What the model is held to; the checkpoint itself if left out. */
  readonly reference?: string;
  /** Where the reference's log-probabilities are kept between runs. */
  readonly referenceCache?: string;
  readonly sequenceLength: number;
  readonly validationShare: number;
}

export interface AdaptPreferencesOutput {
  readonly report: AdaptationReport;
  readonly output: string;
}

export const adaptPreferencesJob: Job<AdaptPreferencesInput, AdaptEvent, AdaptPreferencesOutput> = {
  name: "adapt-preferences",
  async run(input, context) {
    requireNoOutput(input.output);
    const { settings, train: file, licence = null, preference, chat } = input;
    const backend = await openDevice(input.device, (message) => context.emit({ kind: "warning", message }));
    try {
      const loaded = loadForAdaptation(input, backend);
      const { engine, model, tokenizer } = loaded;
      requireDecoder(loaded);
      const template = chatTemplateFor(input.checkpoint, chat, tokenizer);
      const texts = preferencePairs(await preferenceRows(file), file, template);
      warnOfProfanity(
        texts.map(({ chosen }) => chosen),
        "chosen responses",
        context.emit,
      );
      const length = lengthFor(input, loaded);
      const pairs = texts.map((pair) => tokenPair(tokenizer, pair, length));
      const split = heldOut(pairs.length, input.validationShare, settings.seed);
      if (split.held.length === 0) {
        throw new TilthError(
          `${file} holds ${pairs.length} preference pair; at least two are needed, one of them to validate on`,
        );
      }
      const reference = referenceFor(input.reference ?? input.checkpoint, backend, loaded);
      const general = await generalLossFor(input, loaded);
      try {
        const known = await cachedLogProbabilities(input, reference, pairs);
        const part = (indices: readonly number[]) => ({
          pairs: indices.map((index) => pairs[index]),
          reference: Float64Array.from(indices.flatMap((index) => [known[2 * index], known[2 * index + 1]])),
        });
        const { arenas, adapter, dropout } = prepareModel(engine, model, settings);
        const prompts = split.held.map((index) => texts[index].prompt);
        const { loop, guards, trade, accuracy } = await adaptToPreferences(
          engine,
          model,
          {
            ...{ arenas, train: part(split.train), validation: part(split.held), preference, settings, dropout },
            watched: {
              ...(general && { generalLoss: general.measure }),
              behaviour: behaviourFor(loaded, reference, template, { ...chat, prompts, settings }),
            },
          },
          context,
        );
        const report: AdaptationReport = {
          ...(await reportBasis(input, loop)),
          ...{ stage: "aligned", method: "dpo" },
          data: [await describeData("preferences", file, pairs.length, licence)],
          methodSettings: { ...preference, reference: input.reference ?? null, preferenceAccuracy: accuracy },
          ...{ guards, trade },
        };
        await saveAdapted(input.output, {
          ...{ model, report, task: "CAUSAL_LM", pipeline: "text-generation" },
          ...(adapter && { adapter }),
          files: templateFiles(input.checkpoint, template),
        });
        return { report, output: input.output };
      } finally {
        general?.close();
        reference.model.dispose();
      }
    } finally {
      backend.dispose();
    }
  },
};

/** Throws TilthError for a file without rows. */
async function preferenceRows(file: string): Promise<unknown[]> {
  if (existsSync(file) && readFileSync(file, "utf8").trim() === "") {
    throw new TilthError(`${file} holds no preference pairs`, {
      remedy: 'Give rows of {"prompt", "chosen", "rejected"}.',
    });
  }
  return readRows(file);
}

interface CachedLogProbabilities {
  readonly key: string;
  readonly values: number[];
}

/** What the reference says of every response: read where the file was made by the same weights of the same tokens. */
async function cachedLogProbabilities(
  { referenceCache, reference: folder, checkpoint }: AdaptPreferencesInput,
  reference: LoadedModel,
  pairs: readonly TokenPair[],
): Promise<Float64Array> {
  const compute = () => referenceLogProbabilities(reference.engine, reference.model, pairs);
  if (referenceCache === undefined) return compute();
  const { weights } = await describeParent(folder ?? checkpoint);
  const tokens = pairs.map(({ chosen, rejected }) => [
    [...chosen.tokens],
    chosen.from,
    [...rejected.tokens],
    rejected.from,
  ]);
  const key = hashOf(canonicalJson({ weights, tokens }));
  if (existsSync(referenceCache)) {
    const kept = JSON.parse(readFileSync(referenceCache, "utf8")) as CachedLogProbabilities;
    if (kept.key === key) return Float64Array.from(kept.values);
  }
  const values = await compute();
  writeFileAtomically(
    referenceCache,
    `${JSON.stringify({ key, values: [...values] } satisfies CachedLogProbabilities)}\n`,
  );
  return values;
}
