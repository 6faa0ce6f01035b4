import type { GuardDefinition } from "./guard.ts";

/** Overfitting: held-out examples get worse while training examples are learned by heart. */
export const overfit: GuardDefinition = {
  name: "overfit",
  summary: "rise of the validation loss above its best, where the training loss lies below that",
  risk: "overfitting",
  unit: "share of the best",
  limit: 0.1,
  value: ({ trainLoss, validationLoss, bestValidationLoss }) => {
    if (trainLoss === undefined || validationLoss === undefined || bestValidationLoss === undefined) return undefined;
    // A loss that rises on both sides is divergence, not overfitting.
    return trainLoss < bestValidationLoss ? validationLoss / Math.max(bestValidationLoss, 1e-3) - 1 : 0;
  },
};
