import { z } from "zod";
import { defineTask } from "./item.ts";
import { question } from "./question.ts";

/** Elementary science with an open book (Mihaylov et al. 2018), without the book. */
export const openbookqa = defineTask({
  name: "openbookqa",
  kind: "choice",
  summary: "sentences to complete with elementary science",
  licence: "Apache-2.0",
  row: z.object({
    question_stem: z.string(),
    choices: z.object({ text: z.array(z.string()).min(2), label: z.array(z.string()) }),
    answerKey: z.string(),
  }),
  item: ({ question_stem, choices, answerKey }) =>
    question(question_stem, choices.text, choices.label.indexOf(answerKey.trim())),
});
