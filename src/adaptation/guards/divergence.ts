import type { GuardDefinition } from "./guard.ts";

/** Distance from the reference: reward is cheap to gain far away from it. */
export const divergenceGuard: GuardDefinition = {
  name: "divergence",
  summary: "KL divergence from the reference on what the model writes",
  risk: "reward hacking",
  unit: "nats a token",
  limit: 0.5,
  value: ({ divergence }) => divergence,
};
