/**
 * The library: what the commands do, for programs, and what one needs to extend it. Long work is `Work`: await it, or walk over it.
 * Errors are `TilthError`, or one of its kinds `UsageError` and `InterruptedError`.
 */
export * from "./adaptation/index.ts";
export * from "./cluster/index.ts";
export * from "./config/index.ts";
export * from "./corpus/index.ts";
export { type DashboardSettings, type RunningDashboard, startDashboard } from "./dashboard/index.ts";
export * from "./engine/index.ts";
export * from "./evaluation/index.ts";
export * from "./foundation/index.ts";
export * from "./generation/index.ts";
export {
  type DocumentTrace,
  inspectModel,
  type Lineage,
  type ModelInspection,
  openLineage,
  readEvaluations,
  readPairsFile,
  takeDown,
  traceDocument,
} from "./jobs/index.ts";
export * from "./library/index.ts";
// The corpus room's own is a promise with callbacks; this one is work that is walked over.
export { buildCorpus } from "./library/index.ts";
export { lineageOf, lineagePage, provDocument, verifyLineage } from "./lineage/index.ts";
export * from "./models/index.ts";
export * from "./objectives/index.ts";
export * from "./planner/index.ts";
export * from "./scaling/index.ts";
export { ModelClient, type RunningServer, type ServerSettings, startServer } from "./server/index.ts";
export * from "./tokenizer/index.ts";
export * from "./training/index.ts";
