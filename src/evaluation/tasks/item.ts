/** What a task asks of a model: which of several continuations it finds likeliest, or whether it would write the one itself. */
import type { z } from "zod";
import { TilthError } from "../../foundation/index.ts";

/** A continuation whose likelihood is asked for, and what stands before it. */
export interface Choice {
  readonly context: string;
  /** With the white space that separates it from the context. */
  readonly continuation: string;
  /** The answer's own text: its length normalises likelihoods. */
  readonly text: string;
}

/** One question. */
export interface TaskItem {
  readonly choices: readonly Choice[];
  /** Index of the right choice. */
  readonly answer: number;
  /** Part of the task that the item counts in, e.g. a paradigm of BLiMP. */
  readonly group?: string;
  /** The question with its right answer, as it stands before others in few-shot prompts. */
  readonly example: string;
}

/**
 * How rows of a data file become questions. `choice` tasks compare likelihoods; `cloze` tasks have one choice, which is right
 * when the model's greedy continuation is it.
 */
export interface TaskDefinition<Row = unknown> {
  readonly name: string;
  readonly kind: "choice" | "cloze";
  readonly summary: string;
  /** Of the data set that the layout is named after: SPDX expression or the owner's words; a user's own file has its own. */
  readonly licence: string;
  readonly row: z.ZodType<Row>;
  /** Null leaves the row out (it has no answer). */
  item(row: Row): TaskItem | null;
}

/** Checks a definition's types; the identity. */
export function defineTask<Row>(definition: TaskDefinition<Row>): TaskDefinition<Row> {
  return definition;
}

/** Questions from rows. Throws TilthError that names the line for a row of another layout, or where no row has a question. */
export function itemsOf(task: TaskDefinition, rows: readonly unknown[], file: string): TaskItem[] {
  const items = rows.flatMap((row, index) => {
    const parsed = task.row.safeParse(row);
    if (!parsed.success) {
      const [{ path, message }] = parsed.error.issues;
      const where = path.length === 0 ? "" : `${path.join(".")}: `;
      throw new TilthError(`${file}, row ${index + 1} is not in the layout of "${task.name}": ${where}${message}`, {
        remedy: "Name the layout that the file has; tilth eval --help lists them.",
      });
    }
    const item = task.item(parsed.data);
    if (item === null) return [];
    if (item.choices[item.answer] === undefined) {
      throw new TilthError(
        `${file}, row ${index + 1}: the answer is choice ${item.answer + 1}, but there are ${item.choices.length} choices`,
        { remedy: "Correct the row's label." },
      );
    }
    return [item];
  });
  if (items.length === 0)
    throw new TilthError(`${file} has no question with an answer`, { remedy: "Give a file that has." });
  return items;
}
