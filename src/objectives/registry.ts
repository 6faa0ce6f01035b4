/** The objectives: one file each, one line here. */
import { z } from "zod";
import { noSuch, parseSettings, UsageError } from "../foundation/index.ts";
import { contrastive } from "./contrastive.ts";
import { maskedToken } from "./masked-token.ts";
import { nextToken } from "./next-token.ts";
import type { ObjectiveDefinition, ObjectiveEntry, TextObjective } from "./objective.ts";
import { spanCorruption } from "./span-corruption.ts";

/** What a configuration's `objective.kind` takes. */
export const objectives = {
  "next-token": nextToken as ObjectiveDefinition,
  "masked-token": maskedToken as ObjectiveDefinition,
  "span-corruption": spanCorruption as ObjectiveDefinition,
  contrastive,
} as const;

const registered = new Map<string, ObjectiveDefinition>();

/**
 * Adds an objective of the user's, over text; `objective.kind` then takes its name. Called by a plugin when it is loaded. Throws
 * UsageError where an objective has that name already.
 */
export function registerObjective<Settings>(definition: ObjectiveDefinition<Settings>): void {
  const { name } = definition;
  if (registered.has(name) || Object.hasOwn(objectives, name)) {
    throw new UsageError(`there is an objective "${name}" already`, { remedy: "Give the plugin's another name." });
  }
  registered.set(name, definition as ObjectiveDefinition);
}

/** An objective's name. */
export type ObjectiveName = keyof typeof objectives;

/** The objective of a run as it is written: its kind and its own settings. */
export const objectiveSettings = z
  .looseObject({ kind: z.string().default("next-token").describe(Object.keys(objectives).join(", ")) })
  .describe("what the model learns; the objective's own settings stand beside its kind");

/** An objective whose settings are checked and complete. */
export interface ChosenObjective {
  readonly definition: ObjectiveDefinition;
  /** With every default, and the kind. */
  readonly settings: { readonly kind: string };
  readonly specialTokens: readonly string[];
  readonly objective: TextObjective;
}

/** Checks the objective of a run over text. Throws UsageError naming the unknown kind or the setting that is wrong. */
export function chooseObjective(value: z.infer<typeof objectiveSettings>, sequenceLength: number): ChosenObjective {
  const definition = objectiveNamed(value.kind);
  const { kind, ...rest } = value;
  if (!isOverText(definition)) {
    throw new UsageError(`the objective ${kind} learns from pictures with captions, not from text`, {
      remedy: "Give the run images instead of a corpus, and a model of images and texts.",
    });
  }
  const settings = parseSettings(definition.settings, rest, `the settings of the objective ${kind}`);
  return {
    definition,
    settings: { kind, ...(settings as object) },
    specialTokens: definition.specialTokens(settings, sequenceLength),
    objective: definition.create(settings),
  };
}

/** The registry's entry. Throws UsageError for an unknown name. */
export function objectiveNamed(kind: string): ObjectiveDefinition | ObjectiveEntry {
  if (Object.hasOwn(objectives, kind)) return objectives[kind as ObjectiveName];
  const own = registered.get(kind);
  if (own !== undefined) return own;
  const names = [...Object.keys(objectives), ...registered.keys()];
  throw new UsageError(noSuch("objective", kind, names), {
    remedy: `Objectives: ${names.join(", ")}`,
  });
}

function isOverText(definition: ObjectiveDefinition | ObjectiveEntry): definition is ObjectiveDefinition {
  return "create" in definition;
}
