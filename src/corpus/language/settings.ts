/** Which languages a corpus takes, and how sure the identifier has to be. */
import { z } from "zod";
import { knownLanguages } from "./languages.ts";

/**
 * The cut of 0.65 is the one FineWeb and RefinedWeb put on fastText's probability; the score here has the same meaning
 * (see `identifyLanguage`), from another identifier. On 22,000 paragraphs of manual pages in 20 languages (at most 200
 * characters each), answers of 0.4 to 0.7 with which the second identifier agreed were right in 0.92 of 219 cases, as
 * often as answers of 0.8 to 0.9 with which it did not (0.90 of 149); those of 0.4 to 0.7 with which it did not, in 0.79
 * of 170.
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
  secondOpinionBelow: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe("below this score another identifier is asked; 0 never asks"),
  agreedMinimumScore: z
    .number()
    .min(0)
    .max(1)
    .default(0.4)
    .describe("cut on the score where both identifiers name the same language"),
  acceptUndetermined: z
    .boolean()
    .default(true)
    .describe("keep prose that is too short to tell: length and quality filters judge it instead"),
});

export type LanguageSettings = z.infer<typeof languageSettings>;
