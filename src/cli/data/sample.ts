import { renderSample, sampleDocuments } from "../../corpus/index.ts";
import type { Command } from "../command.ts";
import { storeOptions, withStore } from "./store.ts";

/** `tilth data sample` */
export const sample: Command = {
  summary: "look at some documents, kept or rejected",
  usage: "--corpus <folder> [options]",
  options: {
    ...storeOptions,
    kept: { describe: "only kept documents" },
    rejected: { describe: "only rejected documents" },
    reason: { describe: "only those rejected for a reason that contains this", placeholder: "text" },
    count: { describe: "documents to show", placeholder: "number", initial: "5" },
    seed: { describe: "another seed shows others", placeholder: "number", initial: "1" },
  },
  examples: ["tilth data sample --corpus corpus --rejected --reason gopher"],
  async run(input) {
    const [kept, rejected] = [input.flag("kept"), input.flag("rejected")];
    await withStore(input, async (store) => {
      const documents = await sampleDocuments(store, {
        count: input.number("count", { minimum: 1, maximum: 10_000, whole: true }) ?? 5,
        seed: input.number("seed", { minimum: 0, maximum: 2 ** 31, whole: true }) ?? 1,
        kept: kept === rejected ? undefined : kept,
        reason: input.text("reason"),
      });
      return input.flag("json") ? `${JSON.stringify(documents)}\n` : renderSample(documents, 12);
    });
  },
};
