/** `tilth data …`: one line a subcommand, each in a file of its own. */
import type { CommandGroup } from "../command.ts";

export const data: CommandGroup = {
  summary: "curate a corpus, and everything one may ask of it",
  commands: {
    build: {
      summary: "read sources, clean, filter, deduplicate, and write the document store",
      load: async () => (await import("./build.ts")).build,
    },
    merge: {
      summary: "join the parts of a build that ran as --partition 1/n … n/n",
      load: async () => (await import("./merge.ts")).merge,
    },
    contamination: {
      summary: "which items of evaluation sets a corpus holds, with the matching spans",
      load: async () => (await import("./contamination.ts")).contamination,
    },
    mix: {
      summary: "mix training tokens by weights, shares, temperature and epoch caps; --plan shows it first",
      load: async () => (await import("./mix.ts")).mix,
    },
    diff: {
      summary: "what differs between two builds: documents, verdicts, shares, measures, settings",
      load: async () => (await import("./diff.ts")).diff,
    },
    coverage: {
      summary: "how much of the words, n-grams and topics of evaluation sets the corpus covers",
      load: async () => (await import("./coverage.ts")).coverage,
    },
    report: {
      summary: "what is in a corpus: terminal, HTML, JSON, attribution file",
      load: async () => (await import("./report.ts")).report,
    },
    why: {
      summary: "everything that decided about one document",
      load: async () => (await import("./why.ts")).why,
    },
    classifier: {
      summary: "train a classifier of documents (quality, domain, toxicity), apply it, measure it",
      load: async () => (await import("./classifier.ts")).classifier,
    },
    query: {
      summary: "any SQL over the documents, read-only",
      load: async () => (await import("./query.ts")).query,
    },
    takedown: {
      summary: "remove documents from store and shards, list what saw them, show that nothing is left",
      load: async () => (await import("./takedown.ts")).takedown,
    },
    sample: {
      summary: "look at some documents, kept or rejected",
      load: async () => (await import("./sample.ts")).sample,
    },
  },
};
