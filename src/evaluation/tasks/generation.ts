import { z } from "zod";
import { defineGenerationTask } from "./item.ts";
import { openQuestion } from "./question.ts";

/** A user's own questions: `{"context", "answer", "group"?}`, the answer a text or several of which any is right. */
export const generation = defineGenerationTask({
  name: "generation",
  kind: "generation",
  summary: 'your own file: {"context", "answer": text or list of texts, "group"?}',
  licence: "the file's own",
  generation: {
    until: ["\n"],
    maximumTokens: 64,
    ignoreCase: false,
    ignorePunctuation: false,
    ignoredPatterns: [],
    extractions: { exactMatch: "trimmed" },
  },
  row: z.object({
    context: z.string().min(1),
    answer: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
    group: z.string().optional(),
  }),
  item: ({ context, answer, group }) => openQuestion(context, typeof answer === "string" ? [answer] : answer, group),
});
