import { z } from "zod";
import { defineTask } from "./item.ts";
import { question } from "./question.ts";

/** School science (Clark et al. 2018), easy and challenge; also SciQ-like sets in the same layout. */
export const arc = defineTask({
  name: "arc",
  kind: "choice",
  summary: "school science questions with named choices",
  licence: "CC-BY-SA-4.0",
  row: z.object({
    question: z.string(),
    choices: z.object({ text: z.array(z.string()).min(2), label: z.array(z.string()) }),
    answerKey: z.string(),
  }),
  item: ({ question: text, choices, answerKey }) =>
    question(`Question: ${text}\nAnswer:`, choices.text, choices.label.indexOf(answerKey)),
});
