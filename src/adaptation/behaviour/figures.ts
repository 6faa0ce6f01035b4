/** Behaviour before and now as the guards and the report take it. */
import type { AdaptationFigures } from "../guards/index.ts";
import type { Trade } from "../report.ts";
import type { BehaviourFigures } from "./probe.ts";

export function behaviourFigures(before: BehaviourFigures, now: BehaviourFigures): AdaptationFigures {
  return {
    ...(now.divergence !== undefined && { divergence: now.divergence }),
    lengthRatio: (now.medianTokens + 1) / (before.medianTokens + 1),
    ...{ refusalRateBefore: before.refusalRate, refusalRate: now.refusalRate },
    ...{ refusalPreferenceBefore: before.refusalPreference, refusalPreference: now.refusalPreference },
    ...{ toxicityBefore: before.toxicity, toxicity: now.toxicity },
    ...{ diversityBefore: before.diversity, diversity: now.diversity },
  };
}

export function behaviourTrade(before: BehaviourFigures, after: BehaviourFigures): Trade[] {
  const row = (name: string, unit: string, key: keyof BehaviourFigures, better: Trade["better"]): Trade => ({
    ...{ name, unit, before: before[key] ?? null, after: after[key] ?? null, better },
  });
  return [
    row("KL from the reference", "nats a token", "divergence", "lower"),
    row("refusals of requests to decline", "share", "refusalRate", "near before"),
    row("refusing rather than complying", "probability", "refusalPreference", "near before"),
    row("profane answers", "share", "toxicity", "lower"),
    row("distinct bigrams", "share", "diversity", "near before"),
    row("median length of answers", "tokens", "medianTokens", "near before"),
  ];
}
