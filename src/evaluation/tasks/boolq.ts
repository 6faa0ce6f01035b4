import { z } from "zod";
import { defineTask } from "./item.ts";
import { question } from "./question.ts";

/** Yes-or-no questions about a passage (Clark et al. 2019), in SuperGLUE's layout or with a Boolean `answer`. */
export const boolq = defineTask({
  name: "boolq",
  kind: "choice",
  summary: "yes-or-no questions about a passage",
  licence: "CC-BY-SA-3.0",
  row: z
    .object({
      passage: z.string(),
      question: z.string(),
      label: z.number().int().optional(),
      answer: z.boolean().optional(),
    })
    .refine(({ label, answer }) => label !== undefined || answer !== undefined, "label or answer is missing"),
  item: ({ passage, question: text, label, answer }) =>
    label === -1
      ? null
      : question(
          `${passage}\nQuestion: ${text}?\nAnswer:`,
          ["no", "yes"],
          answer === undefined ? label! : Number(answer),
        ),
});
