/** Configurations that other libraries wrote. */
import type { z } from "zod";
import { TilthError } from "../foundation/index.ts";

/**
 * The keys of a `config.json` (or `file`) that decide what a model computes. Throws TilthError naming the first key that is not
 * as Tilth reads it; `remedy` says what it reads.
 */
export function foreignConfiguration<Output>(
  schema: z.ZodType<Output>,
  config: unknown,
  remedy: string,
  file = "config.json",
): Output {
  const parsed = schema.safeParse(config);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TilthError(`${file}: "${issue.path.join(".")}": ${issue.message}`, { remedy });
}
