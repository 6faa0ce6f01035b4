/** Schemas of what users write: strict objects that suggest the name that was meant, and errors that name every fault. */
import { z } from "zod";
import { didYouMean, UsageError } from "./errors.ts";

/** A count of something that there must be at least one of. */
export const positiveInteger = z.number().int().positive();

/** A strict object of settings; an unknown key is named together with the known one that is near. `what`: "corpus". */
export function settingsObject<Shape extends z.core.$ZodLooseShape>(what: string, shape: Shape) {
  return z.strictObject(shape, { error: unknownKeys(`setting of a ${what}`, Object.keys(shape)) });
}

/** The error for unknown keys of a strict object: names each, and the known one that is near. `what`: "filter". */
export function unknownKeys(what: string, known: readonly string[]): z.core.$ZodErrorMap {
  return (issue) => {
    if (issue.code !== "unrecognized_keys") return undefined;
    return issue.keys
      .map((key) => `"${key}" is no ${what}; ${didYouMean(key, known) ?? `known are ${known.join(", ")}`}`)
      .join("; ");
  };
}

/** The parsed value; throws UsageError that names every setting that is wrong. `what`: "the corpus settings". */
export function parseSettings<Output>(schema: z.ZodType<Output>, value: unknown, what: string): Output {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  throw new UsageError(`${what} are not valid: ${issues.join("; ")}`, { cause: result.error });
}
