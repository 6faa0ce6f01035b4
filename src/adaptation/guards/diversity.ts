import type { GuardDefinition } from "./guard.ts";

/** Collapse of what is written into few phrases. */
export const diversityGuard: GuardDefinition = {
  name: "diversity",
  summary: "fall of the share of distinct bigrams in what the model writes",
  risk: "collapse of diversity",
  unit: "share of that before",
  limit: 0.3,
  value: ({ diversityBefore, diversity }) =>
    diversityBefore === undefined || diversity === undefined || diversityBefore === 0
      ? undefined
      : 1 - diversity / diversityBefore,
};
