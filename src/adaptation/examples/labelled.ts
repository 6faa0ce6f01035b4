/** Labelled examples: texts, words or pictures with their classes, checked before anything is trained. */
import { z } from "zod";
import { didYouMean, TilthError } from "../../foundation/index.ts";

/** A text with its class; `group` is what results are told apart by. */
export interface ClassifiedText {
  readonly text: string;
  readonly label: string;
  readonly group?: string;
}

/** Words with a class each. */
export interface ClassifiedWords {
  readonly words: readonly string[];
  readonly labels: readonly string[];
  readonly group?: string;
}

/** The fields of a row. */
export interface LabelFields {
  readonly text: string;
  readonly label: string;
  readonly group?: string;
}

const labelValue = z.union([z.string().trim().min(1, "is empty"), z.number(), z.boolean()]).transform(String);

/** Rows of a file as labelled texts. Throws TilthError naming file, row and field of the first that is none. */
export function labelledTexts(rows: readonly unknown[], file: string, fields: LabelFields): ClassifiedText[] {
  const row = z.looseObject({
    [fields.text]: z.string().min(1, "is empty"),
    [fields.label]: labelValue,
    ...(fields.group && { [fields.group]: labelValue }),
  });
  return parsedRows(rows, file, row).map((one) => ({
    text: String(one[fields.text]),
    label: String(one[fields.label]),
    ...(fields.group && { group: String(one[fields.group]) }),
  }));
}

/** As `labelledTexts`, for rows of words and labels of equal number: the text field holds a list of words, the label field theirs. */
export function labelledWords(rows: readonly unknown[], file: string, fields: LabelFields): ClassifiedWords[] {
  const row = z.looseObject({
    [fields.text]: z.array(z.string()).min(1),
    [fields.label]: z.array(labelValue).min(1),
    ...(fields.group && { [fields.group]: labelValue }),
  });
  return parsedRows(rows, file, row).map((one, index) => {
    const [words, labels] = [one[fields.text] as string[], one[fields.label] as string[]];
    if (words.length !== labels.length) {
      throw new TilthError(`${file}, row ${index + 1}: ${words.length} words have ${labels.length} labels`);
    }
    return { words, labels, ...(fields.group && { group: String(one[fields.group]) }) };
  });
}

function parsedRows(rows: readonly unknown[], file: string, schema: z.ZodType<Record<string, unknown>>) {
  return rows.map((one, index) => {
    const result = schema.safeParse(one);
    if (result.success) return result.data;
    const [{ path, message }] = result.error.issues;
    const known = one !== null && typeof one === "object" ? Object.keys(one).join(", ") : "none";
    throw new TilthError(`${file}, row ${index + 1}: ${path.join(".")}: ${message}; its fields are ${known}`, {
      remedy: "Name the fields with --text and --label; every row needs both.",
    });
  });
}

/**
 * The classes of the training labels, in alphabetical order, or those given. Throws TilthError for fewer than two, for a training
 * label that is not among the given ones, and for a given class without a training example.
 */
export function classesOf(labels: readonly string[], given?: readonly string[]): string[] {
  const found = new Set(labels);
  if (given !== undefined) {
    const unknown = [...found].find((label) => !given.includes(label));
    if (unknown !== undefined) throw unknownLabel(unknown, "the training examples", given);
    const empty = given.filter((name) => !found.has(name));
    if (empty.length > 0) {
      throw new TilthError(`no training example has the class ${empty.map((name) => `"${name}"`).join(", ")}`, {
        remedy: "Give examples of every class, or leave the class out of --classes.",
      });
    }
    return [...given];
  }
  if (found.size < 2) {
    throw new TilthError(`the training examples have ${found.size} class (${[...found].join()}); two are needed`);
  }
  return [...found].sort();
}

/** The class number of every label. Throws TilthError for one that no training example has. `what`: "the test examples". */
export function classNumbers(labels: readonly string[], classes: readonly string[], what: string): Int32Array {
  const numbers = new Map(classes.map((name, index) => [name, index]));
  return Int32Array.from(labels, (label) => {
    const number = numbers.get(label);
    if (number === undefined) throw unknownLabel(label, what, classes);
    return number;
  });
}

function unknownLabel(label: string, what: string, classes: readonly string[]): TilthError {
  const question = didYouMean(label, classes);
  return new TilthError(
    `${what} have the label "${label}", which is no class of the training${question === undefined ? "" : `; ${question}`}`,
    { remedy: `Classes: ${classes.slice(0, 12).join(", ")}${classes.length > 12 ? `, … (${classes.length})` : ""}` },
  );
}
