/** Which languages a corpus takes, and how sure the identifier has to be. */
import { z } from "zod";
import { knownLanguages } from "./languages.ts";

/**
 * The cut of 0.65 is the one FineWeb and RefinedWeb put on fastText's probability; the score here has the same meaning
 * (see `identifyLanguage`), from another identifier.
 */
export const languageSettings = z.strictObject({
  accepted: z
    .array(
      z.string().refine((code) => knownLanguages.includes(code), {
        error: (issue) =>
          `"${issue.input}" is not a language that the identifier knows; expected ISO 639-1 codes out of ${knownLanguages.join(" ")}`,
      }),
    )
    .min(1)
    .default(["en"])
    .describe("ISO 639-1 codes of the languages that a prose document may be in"),
  minimumScore: z.number().min(0).max(1).default(0.65).describe("cut on the score of an accepted language"),
  acceptUndetermined: z
    .boolean()
    .default(true)
    .describe("keep prose that is too short to tell: length and quality filters judge it instead"),
});

export type LanguageSettings = z.infer<typeof languageSettings>;
