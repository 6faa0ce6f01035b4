/** How much of what trains: groups of documents, their shares, and how often a text may be repeated. */
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import { documentKinds } from "../document.ts";

const share = z.number().min(0).max(1);

const mixtureGroup = settingsObject("mixture group", {
  name: z
    .string()
    .min(1)
    .describe("its name; without conditions, the kind, source, language or licence of groupBy that it is about"),
  sources: z.array(z.string().min(1)).min(1).optional().describe("sources of its documents; * stands for anything"),
  kinds: z.array(z.enum(documentKinds)).min(1).optional().describe("kinds of its documents"),
  languages: z.array(z.string().min(1)).min(1).optional().describe("ISO 639-1 codes of its documents"),
  licences: z.array(z.string().min(1)).min(1).optional().describe("licences of its documents, as the store has them"),
  measure: z
    .string()
    .regex(/^[a-z][\w-]*\.[\w-]+$/i, { error: 'a measure is "filter.measure" or "classifier.name"' })
    .optional()
    .describe("a measured value of its documents, e.g. classifier.quality"),
  minimum: z.number().optional().describe("of the measure"),
  below: z.number().optional().describe("of the measure: values from here on are not of the group"),
  share: share.optional().describe("of the tokens of the mixture"),
  weight: z.number().min(0).optional().describe("factor on the share that the group's size gives it; 1 if left out"),
  maximumEpochs: z.number().positive().optional().describe("instead of the mixture's maximumEpochs"),
});

export const mixtureSettings = settingsObject("mixture", {
  groups: z
    .array(mixtureGroup)
    .default([])
    .describe("a document is of the first group whose conditions it meets; the others are grouped by groupBy"),
  groupBy: z
    .enum(["kind", "source", "language", "licence"])
    .default("kind")
    .describe("what groups all other documents"),
  temperature: z
    .number()
    .positive()
    .default(1)
    .describe("shares go by size to the power of 1/temperature: 1 as they are, large alike"),
  maximumEpochs: z.number().positive().default(4).describe("times that a group's tokens are seen at most"),
  tokens: z.int().positive().optional().describe("of the whole mixture; as many as there are if left out"),
  seed: z.int().min(0).default(1).describe("of the choice of documents that are seen once more than others"),
})
  .refine(({ groups }) => new Set(groups.map(({ name }) => name)).size === groups.length, {
    message: "two groups have the same name",
    path: ["groups"],
  })
  .refine(({ groups }) => groups.every((one) => one.share === undefined || one.weight === undefined), {
    message: "a group has a share or a weight, not both",
    path: ["groups"],
  })
  .refine(
    ({ groups }) => groups.every((one) => one.measure !== undefined || (one.minimum ?? one.below) === undefined),
    {
      message: "minimum and below are of a measure, which is not named",
      path: ["groups"],
    },
  );

export type MixtureSettings = z.infer<typeof mixtureSettings>;
export type MixtureGroup = MixtureSettings["groups"][number];
