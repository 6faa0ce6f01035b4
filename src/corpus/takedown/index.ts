/** Take-down in the document store: selecting, tombstones, rewriting, spans that prove it. */
export { removeOldRows, rewriteStore } from "./rewrite.ts";
export { type NamedDocument, type Selection, selectDocuments, type TakedownRequest } from "./select.ts";
export { forEachSpan, SpanSet, spanTokens, textTokens } from "./spans.ts";
export { readTombstones, type Tombstone, tombstonesFile, withoutTakenDown, writeTombstones } from "./tombstones.ts";
