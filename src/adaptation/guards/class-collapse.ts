import type { GuardDefinition } from "./guard.ts";

/** Collapse: classes that the model does not say any more, which a mean accuracy hides. */
export const classCollapse: GuardDefinition = {
  name: "class-collapse",
  summary: "share of the classes with five held-out examples that are never predicted",
  risk: "results by class",
  unit: "share of classes",
  limit: 0.5,
  value: ({ neverPredictedShare }) => neverPredictedShare,
};
