import { compareCorpora, openDocumentStore, renderDiff } from "../../corpus/index.ts";
import { UsageError } from "../../foundation/index.ts";
import type { Command } from "../command.ts";
import { storeFolder } from "./store.ts";

/** `tilth data diff` */
export const diff: Command = {
  summary: "what differs between two builds: documents, verdicts, shares, duplicates, measures, settings",
  usage: "<before> <after>  (folders of corpora or runs)",
  options: { json: { describe: "print JSON" } },
  examples: ["tilth data diff corpus-monday corpus", "tilth data diff runs/first runs/second --json"],
  async run(input) {
    const [first, second, ...more] = input.positionals;
    if (first === undefined || second === undefined || more.length > 0) {
      throw new UsageError(`two corpora are expected, got ${input.positionals.length}`, {
        remedy: "Give their folders, the earlier one first: tilth data diff <before> <after>",
      });
    }
    const before = { folder: storeFolder(first), store: await openDocumentStore(storeFolder(first)) };
    try {
      const after = { folder: storeFolder(second), store: await openDocumentStore(storeFolder(second)) };
      try {
        const difference = await compareCorpora(before, after);
        process.stdout.write(input.flag("json") ? `${JSON.stringify(difference)}\n` : renderDiff(difference));
      } finally {
        after.store.close();
      }
    } finally {
      before.store.close();
    }
  },
};
