/** The loop of every adaptation: batch, gradients, step; validation, guards, early stopping; the best weights in the end. */
import type { Engine, ParameterArena } from "../engine/index.ts";
import { InterruptedError, mixKeys, TilthError } from "../foundation/index.ts";
import { sequencesFrom } from "../objectives/index.ts";
import { learningRateAt } from "../training/index.ts";
import { type AdaptationFigures, type GuardResult, judge } from "./guards/index.ts";
import { JointOptimizer } from "./optimization.ts";
import type { AdaptationSettings } from "./settings.ts";

/** What is adapted to, over a model that is ready. */
export interface AdaptationTask {
  /** Training examples. */
  readonly examples: number;
  /** Adds the gradients of the mean loss of those examples; returns that loss. `key` decides dropout. */
  gradients(examples: readonly number[], key: number): Promise<number>;
  /** Figures at a validation: the losses at least. */
  validate(): Promise<AdaptationFigures & { readonly trainLoss: number; readonly validationLoss: number }>;
}

/** One validation. */
export interface CurvePoint {
  readonly step: number;
  readonly trainLoss: number;
  readonly validationLoss: number;
}

/** How the loop went. */
export interface LoopResult {
  readonly steps: number;
  /** The step whose weights the model has now. */
  readonly bestStep: number;
  readonly curve: readonly CurvePoint[];
  /** Of all validations. */
  readonly guards: readonly GuardResult[];
  /** Why it ended before its last step. */
  readonly stopped?: { readonly step: number; readonly reason: string };
}

/** What the loop tells while it runs. */
export type LoopEvent =
  | { readonly kind: "step"; readonly step: number; readonly steps: number; readonly loss: number }
  | ({ readonly kind: "validation" } & CurvePoint)
  | { readonly kind: "warning"; readonly message: string };

export interface LoopHooks {
  emit(event: LoopEvent): void;
  shouldStop(): boolean;
}

/** Steps that the settings come to with that many examples. */
export function stepsOf({ steps, epochs, batchExamples }: AdaptationSettings, examples: number): number {
  return steps ?? Math.max(1, Math.round((epochs * examples) / Math.min(batchExamples, examples)));
}

/**
 * Runs the task's steps over the parameters of `arenas`. A guard that stops ends it; so do `patience` validations without a lower
 * loss. The model is left with the weights of its lowest validation loss.
 */
export async function runAdaptation(
  engine: Engine,
  arenas: readonly ParameterArena[],
  task: AdaptationTask,
  settings: AdaptationSettings,
  hooks: LoopHooks,
): Promise<LoopResult> {
  const steps = stepsOf(settings, task.examples);
  const batch = Math.min(settings.batchExamples, task.examples);
  const validateEvery = settings.validateEvery ?? Math.max(1, Math.ceil(steps / 10));
  const warmupSteps = Math.min(steps - 1, Math.round(settings.warmupShare * steps));
  const schedule = { kind: "cosine", warmupSteps, decayShare: 0, finalShare: 0.1 } as const;
  // A head, where there is one, comes behind the model or its adapters.
  const factors = arenas.map((_, index) => (index === 0 ? 1 : settings.headLearningRateFactor));
  const optimizer = new JointOptimizer(engine, arenas, settings, factors);
  const curve: CurvePoint[] = [];
  const results: GuardResult[] = [];
  const warned = new Set<string>();
  let best = { step: 0, loss: Number.POSITIVE_INFINITY, weights: await optimizer.snapshot() };
  let stopped: LoopResult["stopped"];

  /** Whether the run goes on. */
  const validate = async (step: number): Promise<boolean> => {
    const figures = await task.validate();
    const { trainLoss, validationLoss } = figures;
    if (validationLoss < best.loss) best = { step, loss: validationLoss, weights: await optimizer.snapshot() };
    curve.push({ step, trainLoss, validationLoss });
    hooks.emit({ kind: "validation", step, trainLoss, validationLoss });
    // Before the first step there is nothing to judge: a head's first weights say nothing of the model.
    const judged = step === 0 ? [] : judge({ ...figures, bestValidationLoss: best.loss }, settings.guards, step);
    results.push(...judged);
    for (const result of judged.filter(({ verdict }) => verdict === "tripped")) {
      const message = tripMessage(result);
      if (result.action === "stop") stopped ??= { step, reason: message };
      else if (!warned.has(result.name)) hooks.emit({ kind: "warning", message });
      warned.add(result.name);
    }
    const without = curve.filter((point) => point.step > best.step).length;
    if (stopped === undefined && settings.patience !== null && without >= settings.patience) {
      const lowest = `the validation loss has not fallen since step ${best.step} (${best.loss.toFixed(3)})`;
      stopped = { step, reason: lowest };
    }
    return stopped === undefined;
  };

  try {
    let step = 0;
    for (let goesOn = await validate(0); goesOn && step < steps; ) {
      if (hooks.shouldStop())
        throw new InterruptedError(`the adaptation was stopped at step ${step}: nothing was written`);
      step += 1;
      const examples = sequencesFrom((step - 1) * batch, batch, task.examples, settings.seed);
      const loss = await task.gradients(examples, mixKeys(settings.seed, step));
      if (!Number.isFinite(loss)) {
        throw new TilthError(`the loss of step ${step} is ${loss}: nothing was written`, {
          remedy: `Lower the learning rate (${settings.learningRate}).`,
        });
      }
      await optimizer.update(learningRateAt(step, { steps, learningRate: settings.learningRate, schedule }));
      hooks.emit({ kind: "step", step, steps, loss });
      if (step % validateEvery === 0 || step === steps) goesOn = await validate(step);
    }
    optimizer.restore(best.weights);
    return { steps: step, bestStep: best.step, curve, guards: results, ...(stopped && { stopped }) };
  } finally {
    optimizer.dispose();
  }
}

/** One line for people. */
export function tripMessage({ name, value, limit, unit }: GuardResult): string {
  return `the guard ${name} trips: ${value?.toPrecision(3)} is above its limit of ${limit} ${unit}`;
}
