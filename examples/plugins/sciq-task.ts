/**
 * An evaluation task of your own: questions in SciQ's layout (Welbl et al. 2017), one right answer and three wrong ones.
 *   tilth eval <checkpoint> --task sciq --data questions.jsonl --plugin examples/plugins/sciq-task.ts
 */
import { defineTask, registerTask } from "tilth";
import { z } from "zod";

registerTask(
  defineTask({
    name: "sciq",
    kind: "choice",
    summary: "science questions with four answers",
    licence: "CC-BY-NC-3.0",
    row: z.object({
      question: z.string(),
      correct_answer: z.string(),
      distractor1: z.string(),
      distractor2: z.string(),
      distractor3: z.string(),
      support: z.string().default(""),
    }),
    item({ question, correct_answer, distractor1, distractor2, distractor3, support }) {
      const context = `${support}\nQuestion: ${question}\nAnswer:`.trimStart();
      const answers = [distractor1, distractor2, distractor3, correct_answer];
      return {
        choices: answers.map((text) => ({ context, continuation: ` ${text}`, text })),
        answer: 3,
        example: `${context} ${correct_answer}`,
      };
    },
  }),
);
