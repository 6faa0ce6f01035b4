import { z } from "zod";
import { defineGenerationTask } from "./item.ts";
import { openQuestion } from "./question.ts";

/** Trivia (Joshi et al. 2017) without documents: a short answer, any of its aliases. */
export const triviaqa = defineGenerationTask({
  name: "triviaqa",
  kind: "generation",
  summary: "trivia questions, answered in a few written words",
  licence: "Apache-2.0 (the questions are their authors')",
  generation: {
    until: ["\n", ".", ","],
    maximumTokens: 256,
    ignoreCase: true,
    ignorePunctuation: true,
    ignoredPatterns: [],
    extractions: { exactMatch: "trimmed" },
  },
  row: z.object({ question: z.string(), answer: z.object({ aliases: z.array(z.string()).min(1) }) }),
  item: ({ question, answer: { aliases } }) => openQuestion(`Question: ${question}?\nAnswer:`, aliases),
});
