/** The planner: from scratch, continue, fine-tune, retrieve or ask a hosted model, decided by figures. */
export { type Catalogue, packagedCatalogue, readCatalogue } from "./catalogue.ts";
export {
  type ClusterForecast,
  type ClusterLayout,
  canShare,
  forecastCluster,
  type Network,
  type RankFigures,
} from "./cluster.ts";
export { describedNeeds, type Needs, parseNeeds } from "./needs.ts";
export { planPage } from "./page.ts";
export { type Flip, type Plan, planFor, recommend, tolerance } from "./plan.ts";
export { llamaOf, type StepEstimate, stepsOf } from "./step.ts";
export { type Way, type WayName, wayNames } from "./ways.ts";
