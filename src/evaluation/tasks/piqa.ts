import { z } from "zod";
import { defineTask } from "./item.ts";
import { question } from "./question.ts";

/** Physical common sense (Bisk et al. 2020): which of two ways reaches a goal. */
export const piqa = defineTask({
  name: "piqa",
  kind: "choice",
  summary: "which of two ways reaches an everyday goal",
  licence: "AFL-3.0",
  row: z.object({ goal: z.string(), sol1: z.string(), sol2: z.string(), label: z.coerce.number().int() }),
  item: ({ goal, sol1, sol2, label }) =>
    label < 0 ? null : question(`Question: ${goal}\nAnswer:`, [sol1, sol2], label),
});
