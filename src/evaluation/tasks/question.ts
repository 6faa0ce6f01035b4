import type { ChoiceItem, GenerationItem } from "./item.ts";

/** A question whose choices follow the same context after a space. */
export function question(context: string, choices: readonly string[], answer: number, group?: string): ChoiceItem {
  return {
    choices: choices.map((text) => ({ context, continuation: ` ${text}`, text })),
    answer,
    example: `${context} ${choices[answer]}`,
    ...(group === undefined ? {} : { group }),
  };
}

/** A question that is answered in writing, after a space; the first answer stands in few-shot prompts. */
export function openQuestion(context: string, answers: readonly string[], group?: string): GenerationItem {
  return { context, answers, example: `${context} ${answers[0]}`, ...(group === undefined ? {} : { group }) };
}
