/** The document store: every document with everything that decided about it, kept or not. */
export { reasonOf, type StreamedDocument } from "./columns.ts";
export {
  type CorpusCounts,
  type CorpusManifest,
  companionNames,
  documentsName,
  isDocumentsFile,
  manifestName,
  readManifest,
} from "./manifest.ts";
export { type DocumentStore, fileView, openDocumentStore, type QueryParameter } from "./read.ts";
export { lock as lockReadOnly, onlySelect } from "./read-only.ts";
export { rowGroupRows, sqlString, writeDocuments } from "./write.ts";
