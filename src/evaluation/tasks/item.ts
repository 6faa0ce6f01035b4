/** What a task asks of a model: which of several continuations it finds likeliest, whether it would write the one itself, or to write. */
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

interface Question {
  /** Part of the task that the item counts in, e.g. a paradigm of BLiMP. */
  readonly group?: string;
  /** The question with its right answer, as it stands before others in few-shot prompts. */
  readonly example: string;
}

/** A question whose answers are given. */
export interface ChoiceItem extends Question {
  readonly choices: readonly Choice[];
  /** Index of the right choice. */
  readonly answer: number;
}

/** A question that the model writes the answer to. */
export interface GenerationItem extends Question {
  readonly context: string;
  /** Any of them is right. */
  readonly answers: readonly string[];
}

export type TaskItem = ChoiceItem | GenerationItem;

/** How an answer is written and held against the right ones: lm-evaluation-harness's `generate_until` and `exact_match`. */
export interface GenerationSettings {
  /** Texts that end the answer; they are not part of it. */
  readonly until: readonly string[];
  readonly maximumTokens: number;
  readonly ignoreCase: boolean;
  readonly ignorePunctuation: boolean;
  /** What matches is taken out of both sides, in this order. */
  readonly ignoredPatterns: readonly RegExp[];
  /** The part of what was written that is the answer: all of it, or the first or last match, for each metric. */
  readonly extractions: Partial<Record<GenerationMetric, Extraction>>;
}

/** `trimmed`: without white space around it. A pattern's first group that matched is the answer, else the whole match. */
export type Extraction = "whole" | "trimmed" | { readonly pattern: RegExp; readonly match: "first" | "last" };

/** Whether the answer is a right one, letter for letter after normalisation; `Flexible`: by a wider extraction. */
export type GenerationMetric = "exactMatch" | "exactMatchFlexible";

interface Layout<Row, Item> {
  readonly name: string;
  readonly summary: string;
  /** Of the data set that the layout is named after: SPDX expression or the owner's words; a user's own file has its own. */
  readonly licence: string;
  readonly row: z.ZodType<Row>;
  /** Null leaves the row out (it has no answer). */
  item(row: Row): Item | null;
}

/**
 * How rows of a data file become questions. `choice` tasks compare likelihoods; `cloze` tasks have one choice, which is right
 * when the model's greedy continuation is it.
 */
export interface ChoiceTask<Row = unknown> extends Layout<Row, ChoiceItem> {
  readonly kind: "choice" | "cloze";
}

/** As `ChoiceTask` where the model writes the answer. */
export interface GenerationTask<Row = unknown> extends Layout<Row, GenerationItem> {
  readonly kind: "generation";
  readonly generation: GenerationSettings;
}

export type TaskDefinition<Row = unknown> = ChoiceTask<Row> | GenerationTask<Row>;

/** Checks a definition's types; the identity. */
export function defineTask<Row>(definition: ChoiceTask<Row>): ChoiceTask<Row> {
  return definition;
}

/** As `defineTask` where the model writes the answer. */
export function defineGenerationTask<Row>(definition: GenerationTask<Row>): GenerationTask<Row> {
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
    if ("choices" in item && item.choices[item.answer] === undefined) {
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
