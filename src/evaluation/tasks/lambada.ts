import { z } from "zod";
import { defineTask } from "./item.ts";

/** The last word of a passage (Paperno et al. 2016), as OpenAI's version splits it: at the last space. */
export const lambada = defineTask({
  name: "lambada",
  kind: "cloze",
  summary: "the last word of a passage, written greedily",
  licence: "CC-BY-4.0",
  row: z.object({ text: z.string().regex(/\S \S+$/, "must have at least two words") }),
  item({ text }) {
    const space = text.lastIndexOf(" ");
    const word = text.slice(space + 1);
    return {
      choices: [{ context: text.slice(0, space), continuation: ` ${word}`, text: word }],
      answer: 0,
      // Two spaces, as lm-evaluation-harness joins them.
      example: `${text.slice(0, space)}  ${word}`,
    };
  },
});
