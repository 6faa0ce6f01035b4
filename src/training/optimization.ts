/** Optimizer, weight average and telemetry as a run's configuration asks for them: the same for every objective. */
import type { Communicator } from "../cluster/index.ts";
import { AdamW, type Backend, Muon, type Optimizer, type ParameterArena, tensorOver } from "../engine/index.ts";
import { globExpression } from "../foundation/index.ts";
import type { TrainingConfiguration } from "./configuration.ts";
import { WeightAverage } from "./weight-average.ts";

type OptimizerSettings = TrainingConfiguration["optimizer"];

/** The optimizer over a model's parameters; its state shared by the ranks where `shardState` says so. */
export function createOptimizer(
  arena: ParameterArena,
  { groups, ...optimizer }: OptimizerSettings,
  ranks: Pick<Communicator, "rank" | "size">,
  shardState: boolean,
): Optimizer {
  const rules = groups.map(({ parameters, ...treatment }) => ({
    pattern: new RegExp(`^${globExpression(parameters)}$`),
    treatment,
  }));
  const settings = {
    ...optimizer,
    maximumGradientNorm: optimizer.maximumGradientNorm ?? Number.POSITIVE_INFINITY,
    treatmentOf: (name: string) => {
      const rule = rules.find(({ pattern }) => pattern.test(name));
      if (rule === undefined) return undefined;
      const { learningRateScale, weightDecay } = rule.treatment;
      return { learningRateScale, ...(weightDecay !== undefined && { weightDecay }) };
    },
  };
  const sharing = shardState ? { rank: ranks.rank, size: ranks.size } : undefined;
  return optimizer.kind === "muon"
    ? new Muon(arena, settings, sharing)
    : new AdamW(arena, settings, undefined, sharing);
}

/** The average that the configuration asks for. */
export function createAverage(arena: ParameterArena, decay: number | undefined): WeightAverage | undefined {
  return decay === undefined ? undefined : new WeightAverage(arena, decay);
}

/** Sends the weights that each rank updated to the others, where the optimizer's state is shared. */
export async function shareOwned(
  optimizer: Optimizer,
  arena: ParameterArena,
  backend: Backend,
  ranks: Communicator,
): Promise<void> {
  for (const { owner, start, length } of optimizer.ownedRanges) {
    if (length > 0) await ranks.broadcast(backend, arena.valueArena(start, length), owner);
  }
}

/** Runs an update; every `updateRatioEvery` steps with ‖update‖ / ‖weights before it‖. */
export async function runUpdate(
  arena: ParameterArena,
  step: number,
  { updateRatioEvery }: Pick<TrainingConfiguration, "updateRatioEvery">,
  update: () => Promise<void>,
): Promise<{ readonly updateRatio?: number }> {
  if (step % updateRatioEvery === 0) return { updateRatio: await withUpdateRatio(arena, update) };
  await update();
  return {};
}

async function withUpdateRatio(arena: ParameterArena, update: () => Promise<void>): Promise<number> {
  const { backend, length } = arena;
  const [before, norm] = [backend.allocate(length * 4), backend.allocate(64)];
  try {
    const [old, one] = [tensorOver(before, [length]), tensorOver(norm, [1])];
    backend.kernels.norm(one, arena.valueArena());
    const weights = (await backend.read(one))[0];
    backend.kernels.scale(old, arena.valueArena(), -1);
    await update();
    backend.kernels.add(old, old, arena.valueArena());
    backend.kernels.norm(one, old);
    return (await backend.read(one))[0] / weights;
  } finally {
    backend.release(before);
    backend.release(norm);
  }
}
