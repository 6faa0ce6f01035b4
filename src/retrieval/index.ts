/** What representations are used for: vectors of documents, search among them, and what of a text stands in documents word for word. */
export { openVectors, type SearchHit, type VectorIndex } from "./search.ts";
export { SpanFinder, type VerbatimSpan } from "./spans.ts";
export { type VectorRow, type VectorsDescription, writeVectors } from "./vectors.ts";
