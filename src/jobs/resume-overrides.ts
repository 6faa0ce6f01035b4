/** Settings that may be given anew when a run is resumed. */
import { withOverride } from "../config/index.ts";
import { UsageError } from "../foundation/index.ts";
import { upkeepNames } from "../training/index.ts";
import type { RunDescription } from "./run-folder.ts";

const allowed = ["device.threads", "telemetry", ...upkeepNames.map((name) => `training.${name}`)];

/** The description with the overrides in it. Throws UsageError for a setting that decides the run's numbers. */
export function overriddenForResume(description: RunDescription, overrides: readonly string[]): RunDescription {
  for (const override of overrides) {
    const name = override.split("=")[0];
    if (allowed.some((one) => name === one || name.startsWith(`${one}.`))) continue;
    throw new UsageError(`--set ${override}: a run is resumed as it is; "${name}" would make it another one`, {
      remedy: `With --resume these may change: ${allowed.join(", ")}. For another run: tilth train --set … --run <new folder>`,
    });
  }
  // Where and how it is watched stands in the run's configuration, the rest in what training was started with.
  const placed = overrides.map((one) => (one.startsWith("telemetry.") ? `configuration.${one}` : one));
  return placed.reduce(withOverride, structuredClone(description) as Record<string, unknown>) as RunDescription;
}
