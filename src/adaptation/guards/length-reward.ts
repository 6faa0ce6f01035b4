import type { GuardDefinition } from "./guard.ts";

/** Style over-optimisation: the reward has become one of length. */
export const lengthReward: GuardDefinition = {
  name: "length-reward",
  summary: "rank correlation of reward and length over held-out responses",
  risk: "style over-optimisation",
  unit: "correlation",
  limit: 0.6,
  value: ({ rewardLengthCorrelation }) => rewardLengthCorrelation,
};
