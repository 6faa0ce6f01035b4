import type { GuardDefinition } from "./guard.ts";

/** Safety regression: what is written becomes profane. */
export const toxicityGuard: GuardDefinition = {
  name: "toxicity",
  summary: "rise of the share of written texts with a profane word",
  risk: "safety regression",
  unit: "share of texts",
  limit: 0.1,
  value: ({ toxicityBefore, toxicity }) =>
    toxicityBefore === undefined || toxicity === undefined ? undefined : toxicity - toxicityBefore,
};
