/** Where a checkpoint comes from: its card. */
export { type ModelCardFacts, modelCard } from "./model-card.ts";
