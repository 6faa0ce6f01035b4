/**
 * Watches a training run from the main thread, by its flight recorder: the training thread may stand in native code or wait
 * for a rank that is gone, and can then say nothing itself.
 */
import { statSync, writeSync } from "node:fs";
import {
  type FlightEvent,
  flightRecorderFile,
  type GuardConfiguration,
  readFlightRecorder,
} from "../training/index.ts";

/** What is watched. */
export interface WatchOptions {
  readonly runFolder: string;
  readonly rank: number;
  readonly ranks: number;
  readonly guards: Pick<GuardConfiguration, "watchdog" | "watchdogSeconds">;
  /** Set when the process was asked to stop. */
  readonly signal?: AbortSignal;
  readonly warn: (message: string) => void;
  /** Ends the process whatever its threads do. */
  readonly end?: (message: string) => void;
  readonly intervalSeconds?: number;
}

/** Phases in which a rank waits for the others; it computes or writes in the rest. */
const waiting: readonly FlightEvent["phase"][] = ["data", "reduce", "update", "log", "start"];

/** Watches until the returned function is called. */
export function watchRun({ intervalSeconds = 1, end = endAtOnce, ...options }: WatchOptions): () => void {
  const file = flightRecorderFile(options.runFolder, options.rank);
  let warnedOf = -1;
  const look = () => {
    const events = isStill(file, 2) ? readFlightRecorder(file) : [];
    const last = events.at(-1);
    if (last === undefined) return;
    const seconds = (Date.now() - Date.parse(last.at)) / 1000;
    if (options.ranks > 1 && options.signal?.aborted && waiting.includes(last.phase)) {
      // mpirun tells all ranks to stop when one of them ends: who then waits longer than a step waits for nobody.
      if (seconds > Math.max(5, stepSeconds(events))) {
        end(
          `rank ${options.rank} was told to stop and waited ${seconds.toFixed(0)} s for the others in step ${last.step}: one of them is gone. The run continues from its last checkpoint.`,
        );
      }
      return;
    }
    const { watchdogSeconds, watchdog } = options.guards;
    if (watchdogSeconds === null || seconds < watchdogSeconds || warnedOf === last.sequence) return;
    warnedOf = last.sequence;
    const what = `no progress for ${seconds.toFixed(0)} s: step ${last.step}, phase "${last.phase}"`;
    if (watchdog === "stop") end(`${what}. The watchdog ends the process; the run continues from its last checkpoint.`);
    else options.warn(what);
  };
  const timer = setInterval(look, intervalSeconds * 1000);
  timer.unref();
  return () => clearInterval(timer);
}

/** Whether the file is there and was not written for `seconds`. */
function isStill(file: string, seconds: number): boolean {
  try {
    return Date.now() - statSync(file).mtimeMs > seconds * 1000;
  } catch {
    return false;
  }
}

/** Seconds of the last whole step. */
function stepSeconds(events: readonly FlightEvent[]): number {
  const [before, last] = events.filter(({ phase }) => phase === "log").slice(-2);
  return last === undefined ? 0 : (Date.parse(last.at) - Date.parse(before.at)) / 1000;
}

/** SIGKILL: an orderly end would wait for the thread that does not answer. */
function endAtOnce(message: string): void {
  writeSync(2, `tilth: ${message}\n`);
  process.kill(process.pid, "SIGKILL");
}
