/** Continued training on text, or fine-tuning on responses: all weights or adapters. */
import type { Engine, ParameterArena } from "../../engine/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import { type GuardResult, worst } from "../guards/index.ts";
import { type LanguageExamples, languageTask } from "../language.ts";
import { type LoopHooks, type LoopResult, runAdaptation } from "../loop.ts";
import type { Trade } from "../report.ts";
import type { AdaptationSettings } from "../settings.ts";

export interface LanguageInput {
  readonly arenas: readonly ParameterArena[];
  readonly train: LanguageExamples;
  readonly validation: LanguageExamples;
  readonly generalLoss?: () => Promise<number>;
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
  { arenas, train, validation, generalLoss, settings, dropout }: LanguageInput,
  hooks: LoopHooks,
): Promise<LanguageResult> {
  const generalLossBefore = await generalLoss?.();
  const task = languageTask(engine, model, train, validation, {
    ...{ microBatchRows: 8, dropout },
    extra: async () => (generalLoss === undefined ? {} : { generalLossBefore, generalLoss: await generalLoss() }),
  });
  const loop = await runAdaptation(engine, arenas, task, settings, hooks);
  const first = loop.curve[0];
  const best = loop.curve.find(({ step }) => step === loop.bestStep)!;
  const after = await generalLoss?.();
  return {
    loop,
    guards: worst(loop.guards),
    trade: [...lossTrade(first, best), ...generalTrade(generalLossBefore, after)],
  };
}

type Losses = { readonly trainLoss: number; readonly validationLoss: number };

/** Validation loss and the gap to the training loss, before and after. */
export function lossTrade(first: Losses, best: Losses): Trade[] {
  const gap = ({ trainLoss, validationLoss }: Losses) => validationLoss - trainLoss;
  return [
    {
      name: "validation loss",
      unit: "nats",
      before: first.validationLoss,
      after: best.validationLoss,
      better: "lower",
    },
    { name: "train/validation gap", unit: "nats", before: gap(first), after: gap(best), better: "lower" },
  ];
}

/** The loss on general text, where it was measured. */
export function generalTrade(before: number | undefined, after: number | undefined): Trade[] {
  if (before === undefined || after === undefined) return [];
  return [{ name: "general loss", unit: "nats a token", before, after, better: "near before" }];
}
