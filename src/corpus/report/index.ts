/** What one may ask of a corpus: its report, the story of a document, a sample, the attribution file. */
export { renderAttribution } from "./attribution.ts";
export { type Amount, type CorpusReport, corpusReport, type ReportContext } from "./figures.ts";
export { renderReportHtml } from "./html.ts";
export { renderReportMarkdown } from "./markdown.ts";
export { renderSample, type SampledDocument, type SampleOptions, sampleDocuments } from "./sample.ts";
export { renderReport } from "./terminal.ts";
export { type DocumentStory, documentStory, type JudgedMeasure, renderStory } from "./why.ts";
export { reportNames, writeCorpusReport } from "./write.ts";
