/** Holds figures against the limits. */
import type { AdaptationFigures, GuardResult } from "./guard.ts";
import { guardNames, guards } from "./registry.ts";
import type { GuardSettings } from "./settings.ts";

/** What every guard that is not off says of the figures of a step; those without figures say so. */
export function judge(figures: AdaptationFigures, settings: GuardSettings, step: number): GuardResult[] {
  return guardNames.flatMap((name) => {
    const { action, limit: own } = settings[name];
    if (action === "off") return [];
    const { unit, ...guard } = guards[name];
    const limit = own ?? guard.limit;
    const value = guard.value(figures);
    const verdict = value === undefined ? "not measured" : value > limit ? "tripped" : "passed";
    return [{ name, value: value ?? null, limit, unit, verdict, action, step }] as const;
  });
}

/** The worst that each guard said over a run: tripped before passed before not measured, then the highest value. */
export function worst(results: readonly GuardResult[]): GuardResult[] {
  const rank = { tripped: 2, passed: 1, "not measured": 0 } as const;
  const byName = new Map<string, GuardResult>();
  for (const result of results) {
    const before = byName.get(result.name);
    const isWorse =
      before === undefined ||
      rank[result.verdict] > rank[before.verdict] ||
      (rank[result.verdict] === rank[before.verdict] && (result.value ?? 0) > (before.value ?? 0));
    if (isWorse) byName.set(result.name, result);
  }
  return [...byName.values()];
}
