/** What is needed: the facts about text, use and limits that the planner decides by. */
import { z } from "zod";
import { parseSettings, settingsObject } from "../foundation/index.ts";

const positive = z.number().positive();

const needsSchema = settingsObject("plan", {
  task: z
    .enum(["chat", "documents", "language"])
    .describe("general chat; answers that stand in documents; reading and writing the domain's own language"),
  domainTokens: positive.describe("tokens of domain text that there are"),
  publicTokens: positive.describe("tokens of such text that public models have seen: an estimate"),
  rights: z
    .enum(["own", "confidential", "unclear"])
    .describe(
      "own: may train and may be sent to others; confidential: may train, must not leave; unclear: must not train",
    ),
  requestsPerDay: positive,
  inputTokens: positive.default(1000).describe("of a request, what is retrieved included"),
  outputTokens: positive.default(300),
  latencySeconds: positive.default(30).describe("from the request to the last token"),
  months: positive.default(12).describe("of use that the costs count"),
  budget: positive.describe("for everything: people, training, use; in the catalogue's currency"),
  weeks: positive.describe("until it must be in use"),
  deployment: z.enum(["anywhere", "own-devices"]).default("anywhere"),
  control: z
    .enum(["none", "weights", "training-data"])
    .default("none")
    .describe("whether the weights, or all that a model was trained on, must be in one's own hands"),
  device: z.string().min(1).describe("a device of the catalogue: for training, and for serving"),
});

/** Everything that is asked. */
export type Needs = z.output<typeof needsSchema>;

/** Checked needs. Throws UsageError that names every one that is missing or not valid. */
export function parseNeeds(value: unknown, from: string): Needs {
  return parseSettings(needsSchema, value, `the needs of ${from}`);
}

/** The needs that are numbers, and those that are choices with theirs: what sensitivity varies. */
export const numericNeeds = [
  "domainTokens",
  "publicTokens",
  "requestsPerDay",
  "inputTokens",
  "outputTokens",
  "latencySeconds",
  "months",
  "budget",
  "weeks",
] as const satisfies readonly (keyof Needs)[];

export const choiceNeeds = {
  task: ["chat", "documents", "language"],
  rights: ["own", "confidential", "unclear"],
  deployment: ["anywhere", "own-devices"],
  control: ["none", "weights", "training-data"],
} as const;

/** Every need with what it means and, where only some values are, these. */
export function describedNeeds(): { readonly name: string; readonly describe: string; readonly choices?: string[] }[] {
  const { properties = {} } = z.toJSONSchema(needsSchema, { io: "input" }) as {
    properties?: Record<string, { description?: string; enum?: string[] }>;
  };
  return Object.entries(properties).map(([name, { description = "", enum: choices }]) => ({
    ...{ name, describe: description },
    ...(choices === undefined ? {} : { choices }),
  }));
}
