/** Two builds of a corpus, and what differs between them. */
export { type CorpusDiff, compareCorpora } from "./compare.ts";
export { renderDiff } from "./render.ts";
