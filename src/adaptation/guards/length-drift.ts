import type { GuardDefinition } from "./guard.ts";

/** Answers that grow, whatever they say. */
export const lengthDrift: GuardDefinition = {
  name: "length-drift",
  summary: "median length of what the model writes over the reference's",
  risk: "style over-optimisation",
  unit: "times",
  limit: 2,
  value: ({ lengthRatio }) => lengthRatio,
};
