/** What configuration may say of any source, and what follows from it. */
import { basename } from "node:path";
import { z } from "zod";
import type { LicenceFinding } from "../document.ts";
import { normaliseExpression } from "../licences/index.ts";

/** `path` of a source that is a file or a folder of such files. */
export const pathSetting = z
  .string()
  .min(1)
  .describe("a file, or a folder with such files below it; relative to the configuration's folder");

/** Settings that every source but `npm` has. */
export const commonShape = {
  name: z
    .string()
    .regex(/^[\w@.+-]+$/, { error: "a source name has letters, digits and @ . + - _ only" })
    .optional()
    .describe("name of the source in reports; the file's or folder's own name if left out"),
  licence: z
    .string()
    .refine((text) => text === "NOASSERTION" || normaliseExpression(text) !== "NOASSERTION", {
      error: (issue) => `"${issue.input}" is no SPDX licence expression; see https://spdx.org/licenses/`,
    })
    .optional()
    .describe("SPDX expression for all of it; if left out, what the source itself says decides"),
};

/** The finding of a licence that configuration declares. */
export function declaredLicence(expression: string): LicenceFinding {
  return { expression: normaliseExpression(expression), evidence: "set for this source", confidence: 1 };
}

/** `jsonl:notes`: how reports call the source. */
export function sourceName(reader: string, source: { readonly name?: string }, path: string): string {
  return `${reader}:${source.name ?? basename(path)}`;
}
