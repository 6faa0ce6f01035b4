import type { GuardDefinition } from "./guard.ts";

/** A group of examples that is served clearly worse than another. */
export const groupGap: GuardDefinition = {
  name: "group-gap",
  summary: "difference of accuracy between groups whose intervals do not touch",
  risk: "results by group",
  unit: "share of examples",
  limit: 0.2,
  value: ({ groupGap: gap }) => gap,
};
