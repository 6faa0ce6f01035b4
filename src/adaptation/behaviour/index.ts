/** What a model writes, measured before and after. */
export type { PlacedModel } from "./divergence.ts";
export { behaviourFigures, behaviourTrade } from "./figures.ts";
export { type BehaviourFigures, type BehaviourSettings, behaviourOf, textOf } from "./probe.ts";
export { isRefusal, requestsToRefuse } from "./refusals.ts";
