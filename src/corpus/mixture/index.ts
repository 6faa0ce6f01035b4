/** Mixture: groups of documents, their shares of the training tokens, and caps on repeating them. */
export { groupExpression } from "./groups.ts";
export {
  type Mixture,
  type MixtureDocument,
  type MixturePlan,
  mixturePlan,
  type PlannedGroup,
  planMixture,
} from "./plan.ts";
export { renderMixture } from "./render.ts";
export { type MixtureGroup, type MixtureSettings, mixtureSettings } from "./settings.ts";
