import { z } from "zod";
import { defineTask } from "./item.ts";

/** Pronouns to resolve (Sakaguchi et al. 2019): how likely is the rest of the sentence after each of two names. */
export const winogrande = defineTask({
  name: "winogrande",
  kind: "choice",
  summary: "which of two names a gap in a sentence stands for",
  licence: "CC-BY-4.0",
  row: z.object({
    sentence: z.string().includes("_"),
    option1: z.string(),
    option2: z.string(),
    answer: z.string(),
  }),
  item({ sentence, option1, option2, answer }) {
    if (answer === "") return null;
    const gap = sentence.indexOf("_");
    const rest = sentence.slice(gap + 1).trim();
    const options = [option1, option2];
    return {
      choices: options.map((option) => ({
        context: sentence.slice(0, gap) + option,
        continuation: ` ${rest}`,
        text: rest,
      })),
      answer: Number(answer) - 1,
      example: sentence.replace("_", options[Number(answer) - 1]),
    };
  },
});
