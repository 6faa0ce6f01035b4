import { z } from "zod";
import { defineTask } from "./item.ts";
import { question } from "./question.ts";

/** Endings of everyday scenes (Zellers et al. 2019), cleaned of WikiHow's marks as lm-evaluation-harness does. */
export const hellaswag = defineTask({
  name: "hellaswag",
  kind: "choice",
  summary: "which ending follows an everyday scene",
  licence: "MIT",
  row: z.object({
    activity_label: z.string(),
    ctx_a: z.string(),
    ctx_b: z.string(),
    endings: z.array(z.string()).min(2),
    label: z.union([z.string(), z.number()]),
    source_id: z.string().optional(),
  }),
  item({ activity_label, ctx_a, ctx_b, endings, label }) {
    if (label === "") return null;
    const scene = `${activity_label}: ${ctx_a} ${capitalised(ctx_b)}`;
    return question(cleaned(scene), endings.map(cleaned), Number(label));
  },
});

/** As Python's str.capitalize: the first character in upper case, the rest in lower case. */
function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
}

function cleaned(text: string): string {
  return text
    .trim()
    .replaceAll(" [title]", ". ")
    .replace(/\[.*?\]/g, "")
    .replaceAll("  ", " ");
}
