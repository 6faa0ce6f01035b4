import { z } from "zod";
import { defineTask } from "./item.ts";
import { question } from "./question.ts";

/** A user's own questions: `{"context", "choices", "answer", "group"?}`, the answer an index from 0. */
export const multipleChoice = defineTask({
  name: "multiple-choice",
  kind: "choice",
  summary: 'your own file: {"context", "choices", "answer": index from 0, "group"?}',
  licence: "the file's own",
  row: z.object({
    context: z.string(),
    choices: z.array(z.string().min(1)).min(2),
    answer: z.number().int().nonnegative(),
    group: z.string().optional(),
  }),
  item: ({ context, choices, answer, group }) => question(context, choices, answer, group),
});
