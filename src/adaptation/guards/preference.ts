import type { GuardDefinition } from "./guard.ts";

/** Preferences that do not hold on pairs that were not trained on. */
export const preference: GuardDefinition = {
  name: "preference",
  summary: "how far the held-out preference accuracy lies below one half, with its interval",
  risk: "reward hacking",
  unit: "share of pairs",
  limit: 0,
  value: ({ preferenceAccuracyUpper: upper }) => (upper === undefined ? undefined : 0.5 - upper),
};
