import type { TaskItem } from "./item.ts";

/** A question whose choices follow the same context after a space. */
export function question(context: string, choices: readonly string[], answer: number, group?: string): TaskItem {
  return {
    choices: choices.map((text) => ({ context, continuation: ` ${text}`, text })),
    answer,
    example: `${context} ${choices[answer]}`,
    ...(group === undefined ? {} : { group }),
  };
}
