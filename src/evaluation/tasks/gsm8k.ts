import { z } from "zod";
import { defineGenerationTask } from "./item.ts";
import { openQuestion } from "./question.ts";

/** Sums in words (Cobbe et al. 2021): the number after "####", or by the wider extraction the last number that was written. */
export const gsm8k = defineGenerationTask({
  name: "gsm8k",
  kind: "generation",
  summary: "sums in words, worked out in writing (usually with --shots 5)",
  licence: "MIT",
  generation: {
    until: ["Question:", "</s>", "<|im_end|>"],
    maximumTokens: 256,
    ignoreCase: true,
    ignorePunctuation: false,
    ignoredPatterns: [/,/, /\$/, /.*#### /s, /\.$/],
    extractions: {
      exactMatch: { pattern: /#### (-?[0-9.,]+)/, match: "first" },
      exactMatchFlexible: { pattern: /(-?[$0-9.,]{2,})|(-?[0-9]+)/, match: "last" },
    },
  },
  row: z.object({ question: z.string(), answer: z.string() }),
  item: ({ question, answer }) => openQuestion(`Question: ${question}\nAnswer:`, [answer]),
});
