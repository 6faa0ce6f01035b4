/** What a simple classifier finds in frozen representations. */
export { examplesOf, type LabelledFeatures, type ProbeResult } from "./features.ts";
export { type LinearProbeSettings, linearProbe } from "./linear.ts";
export { nearestNeighbourProbe } from "./nearest-neighbours.ts";
