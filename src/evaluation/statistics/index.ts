/** How sure a score is, and whether two differ. */
export { bootstrapMean, bootstrapMeanOfGroups, type Estimate } from "./intervals.ts";
export { comparePaired, type PairedComparison } from "./paired.ts";
