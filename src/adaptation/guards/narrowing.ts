import type { GuardDefinition } from "./guard.ts";

/** Narrowing: what the model could before, on text that the adaptation is not about. */
export const narrowing: GuardDefinition = {
  name: "narrowing",
  summary: "rise of the loss on general held-out text",
  risk: "narrowed capability",
  unit: "nats a token",
  limit: 0.5,
  value: ({ generalLossBefore, generalLoss }) =>
    generalLossBefore === undefined || generalLoss === undefined ? undefined : generalLoss - generalLossBefore,
};
