import { documentStory, renderStory } from "../../corpus/index.ts";
import { UsageError } from "../../foundation/index.ts";
import type { Command } from "../command.ts";
import { storeOptions, withStore } from "./store.ts";

/** `tilth data why` */
export const why: Command = {
  summary: "everything that decided about one document",
  usage: "<id or path> --corpus <folder>",
  options: storeOptions,
  examples: ["tilth data why 3f9a12 --corpus corpus"],
  async run(input) {
    const [subject] = input.positionals;
    if (subject === undefined) throw new UsageError("which document? Give the first digits of its id, or its path.");
    await withStore(input, async (store) => {
      const story = await documentStory(store, subject);
      return input.flag("json") ? `${JSON.stringify(story)}\n` : renderStory(story);
    });
  },
};
