/** What all quickstarts are told, and how they end. */
import { resolve } from "node:path";
import type { CommandInput } from "./command.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

/** A quickstart that has begun. */
export interface Quickstart {
  /** Of training. */
  readonly seconds: number;
  readonly seed: number;
  /** Undefined where the user did not say. */
  readonly vocabularySize: number | undefined;
  readonly device: {
    readonly backend: string;
    readonly threads: number | undefined;
    readonly precision: "auto" | "f32" | "bf16" | undefined;
  };
  readonly runFolder: string;
  readonly signal: AbortSignal;
  readonly progress: ReturnType<typeof progressLine>;
  /** Prints the summary; with `--json` also the result, with time and memory of the whole, as the last line. */
  end(summary: readonly string[], result: object, trainingPeakRssBytes: number): void;
}

/** Reads the options that all objectives share. Throws UsageError for values that are none. */
export function beginQuickstart(input: CommandInput): Quickstart {
  const began = performance.now();
  return {
    seconds: 60 * (input.number("minutes", { minimum: 0.05, maximum: 10_000 }) ?? 2),
    seed: input.number("seed", { minimum: 0, maximum: 2 ** 31, whole: true }) ?? 1,
    vocabularySize: input.number("vocabulary", { minimum: 300, maximum: 65_536, whole: true }),
    device: {
      backend: input.text("backend") ?? "auto",
      threads: input.number("threads", { minimum: 1, maximum: 256, whole: true }),
      precision: input.choice("precision", ["auto", "f32", "bf16"]),
    },
    runFolder: resolve(input.text("run") ?? "runs/quickstart"),
    signal: interruptSignal("stopping after this step; press Ctrl-C again to leave at once without saving"),
    progress: progressLine(),
    end(summary, result, trainingPeakRssBytes) {
      say(["", ...summary, ""].join("\n"));
      if (!input.flag("json")) return;
      const peakRssBytes = Math.max(trainingPeakRssBytes, process.resourceUsage().maxRSS * 1024);
      const seconds = (performance.now() - began) / 1000;
      process.stdout.write(`${JSON.stringify({ ...result, peakRssBytes, seconds })}\n`);
    },
  };
}
