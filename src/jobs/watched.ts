/** Training that other programs may follow, and that is watched from this thread while another one trains. */
import { launchedPlace } from "../cluster/index.ts";
import { guardConfiguration, openTelemetry, type RunRecord, telemetryConfiguration } from "../training/index.ts";
import type { RunDescription } from "./run-folder.ts";
import { watchRun } from "./watch.ts";

/** What is told of a run as it goes on. */
interface Hooks<Event> {
  readonly onEvent: (event: Event) => void;
  readonly signal?: AbortSignal;
}

/** Runs `train` with the run's telemetry, and watched. Of several ranks the first one tells. */
export async function watched<Event extends { readonly kind: string }, Output>(
  runFolder: string,
  { configuration, training }: Pick<RunDescription, "configuration" | "training">,
  hooks: Hooks<Event | { readonly kind: "warning"; readonly message: string }>,
  train: (hooks: Hooks<Event | { readonly kind: "record"; readonly record: RunRecord }>) => Promise<Output>,
): Promise<Output> {
  const { rank, size: ranks } = launchedPlace() ?? { rank: 0, size: 1 };
  const warn = (message: string) => hooks.onEvent({ kind: "warning", message });
  const asked = rank === 0 ? configuration.telemetry : undefined;
  const telemetry = await openTelemetry(telemetryConfiguration.parse(asked ?? {}), runFolder, warn);
  const guards = guardConfiguration.parse(training.guards ?? {});
  const unwatch = watchRun({ runFolder, rank, ranks, guards, signal: hooks.signal, warn });
  try {
    return await train({
      ...hooks,
      onEvent(event) {
        if (event.kind === "record") telemetry.update((event as { record: RunRecord }).record);
        hooks.onEvent(event as Event);
      },
    });
  } finally {
    unwatch();
    await telemetry.close();
  }
}
