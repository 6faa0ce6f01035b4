/** What happens where a guard trips, and its limit: settings, and how they are typed. */
import { z } from "zod";
import { noSuch, UsageError, unknownKeys } from "../../foundation/index.ts";
import { type GuardName, guardNames, guards } from "./registry.ts";

const guardActions = ["warn", "stop", "off"] as const;

const one = z.strictObject({
  action: z.enum(guardActions).default("warn"),
  limit: z.number().optional(),
});

/** By the guards' names; those left out warn at their own limit. */
export const guardSettings = z.strictObject(
  Object.fromEntries(guardNames.map((name) => [name, one.prefault({})])) as Record<
    GuardName,
    z.ZodPrefault<typeof one>
  >,
  { error: unknownKeys("guard", guardNames) },
);

export type GuardSettings = z.infer<typeof guardSettings>;

/** Reads `narrowing=stop:0.3`, `overfit=off`. Throws UsageError for an unknown guard, action or limit. */
export function parseGuards(texts: readonly string[]): GuardSettings {
  const chosen = texts.map((text) => {
    const [name, action = "", limit] = text.split(/[=:]/);
    if (!(name in guards)) {
      throw new UsageError(noSuch("guard", name, guardNames), { remedy: `Guards: ${guardNames.join(", ")}` });
    }
    const isAction = guardActions.some((known) => known === action);
    if (!isAction || (limit !== undefined && (limit.trim() === "" || Number.isNaN(Number(limit))))) {
      throw new UsageError(
        `--guard is "${text}", expected name=warn, name=stop or name=off, with a limit as name=stop:0.3`,
      );
    }
    return [name, { action, ...(limit !== undefined && { limit: Number(limit) }) }];
  });
  return guardSettings.parse(Object.fromEntries(chosen));
}
