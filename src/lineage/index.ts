/** Where a checkpoint comes from: its card, the record of every activity, the graph of them, and whether they still hold. */

export { recordName } from "./contents.ts";
export { type LineageDatabase, openLineageDatabase } from "./database.ts";
export * from "./diagnose/index.ts";
export { type ArtefactNode, type LineageGraph, lineageOf } from "./graph.ts";
export { type ModelCardFacts, modelCard } from "./model-card.ts";
export { lineagePage } from "./page.ts";
export { type ProvDocument, provDocument } from "./prov.ts";
export {
  type Activity,
  type ArtefactKind,
  type LineageRecord,
  readRecord,
  recordTextFor,
  replaceRecord,
  writeRecord,
} from "./record.ts";
export { writeSources } from "./sources.ts";
export * from "./stage/index.ts";
export { type Verification, verifyLineage, weightsAgree } from "./verify.ts";
