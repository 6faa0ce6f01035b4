/** Continued training on text, or fine-tuning on responses: all weights or adapters. */
import type { Engine, ParameterArena } from "../../engine/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import { type GuardResult, worst } from "../guards/index.ts";
import { type LanguageExamples, languageTask } from "../language.ts";
import { type LoopHooks, type LoopResult, runAdaptation } from "../loop.ts";
import type { Trade } from "../report.ts";
import type { AdaptationSettings } from "../settings.ts";
import { lossTrade, type Watched, watch } from "./watched.ts";

export interface LanguageInput {
  readonly arenas: readonly ParameterArena[];
  readonly train: LanguageExamples;
  readonly validation: LanguageExamples;
  readonly watched: Watched;
  readonly settings: AdaptationSettings;
  readonly dropout: (key: number | undefined) => void;
}

/** What came of it; the model holds the best weights. */
export interface LanguageResult {
  readonly loop: LoopResult;
  readonly guards: readonly GuardResult[];
  readonly trade: readonly Trade[];
}

export async function adaptToText(
  engine: Engine,
  model: LanguageModel,
  { arenas, train, validation, watched, settings, dropout }: LanguageInput,
  hooks: LoopHooks,
): Promise<LanguageResult> {
  dropout(undefined);
  const beside = await watch(watched);
  const task = languageTask(engine, model, train, validation, {
    ...{ microBatchRows: 8, dropout },
    extra: async () => {
      // Learning to answer is going away from the base: what is reported of it is not judged.
      const { divergence: _distance, ...judged } = await beside.figures();
      return judged;
    },
  });
  const loop = await runAdaptation(engine, arenas, task, settings, hooks);
  const first = loop.curve[0];
  const best = loop.curve.find(({ step }) => step === loop.bestStep)!;
  dropout(undefined);
  return {
    loop,
    guards: worst(loop.guards),
    trade: [...lossTrade(first, best), ...(await beside.trade())],
  };
}
