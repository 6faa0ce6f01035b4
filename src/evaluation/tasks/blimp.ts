import { z } from "zod";
import { defineTask } from "./item.ts";
import { question } from "./question.ts";

/** Minimal pairs (Warstadt et al. 2020): the grammatical sentence should be likelier than its ungrammatical twin. */
export const blimp = defineTask({
  name: "blimp",
  kind: "choice",
  summary: "minimal pairs of grammatical and ungrammatical sentences",
  licence: "CC-BY-4.0",
  row: z.object({ sentence_good: z.string(), sentence_bad: z.string(), UID: z.string().optional() }),
  item: ({ sentence_good, sentence_bad, UID }) => question("", [sentence_good, sentence_bad], 0, UID),
});
