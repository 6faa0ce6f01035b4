/**
 * What a run did last, in a ring of lines on the disk: it is there after any end, a kill -9 or a crash in native code
 * included. A run that ends well removes it.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What a run is doing. */
export type Phase =
  | "start"
  | "data"
  | "forward-backward"
  | "reduce"
  | "update"
  | "validate"
  | "sample"
  | "snapshot"
  | "log";

/** One entry. */
export interface FlightEvent {
  /** Counts entries from the start of the process. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly at: string;
  readonly step: number;
  readonly phase: Phase | "end";
  /** Loss and norm of a step that was taken, the message of an end. */
  readonly [detail: string]: unknown;
}

const [slots, slotBytes] = [512, 256];

/** The file of a rank. */
export function flightRecorderFile(runFolder: string, rank = 0): string {
  return join(runFolder, rank === 0 ? "flight-recorder.jsonl" : `flight-recorder-rank-${rank}.jsonl`);
}

/** Writes the last 512 events of a process. A disk that is full or gone does not disturb the run. */
export class FlightRecorder {
  private descriptor: number | undefined;
  private sequence = 0;
  readonly path: string;

  constructor(runFolder: string, rank: number) {
    this.path = flightRecorderFile(runFolder, rank);
    try {
      mkdirSync(runFolder, { recursive: true });
      this.descriptor = openSync(this.path, "w");
      // Its place on the disk is taken now: later writes need none.
      writeSync(this.descriptor, `${" ".repeat(slotBytes - 1)}\n`.repeat(slots));
    } catch {
      this.descriptor = undefined;
    }
  }

  note(step: number, phase: FlightEvent["phase"], details: Readonly<Record<string, unknown>> = {}): void {
    if (this.descriptor === undefined) return;
    const event = { sequence: this.sequence, at: new Date().toISOString(), step, phase, ...details };
    const slot = Buffer.alloc(slotBytes, " ");
    slot.write(JSON.stringify(event).slice(0, slotBytes - 1));
    slot[slotBytes - 1] = 10;
    try {
      writeSync(this.descriptor, slot, 0, slotBytes, (this.sequence % slots) * slotBytes);
    } catch {
      return;
    }
    this.sequence += 1;
  }

  /** Closes the record; `keep` leaves it for people, in the order of time. */
  close(keep: boolean): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
    if (!keep) rmSync(this.path, { force: true });
  }
}

/** The events of a record, oldest first. Lines that are not whole are left out. */
export function readFlightRecorder(path: string): FlightEvent[] {
  if (!existsSync(path)) return [];
  const events = readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line.trim() === "" ? [] : [JSON.parse(line) as FlightEvent];
      } catch {
        return [];
      }
    });
  return events.sort((a, b) => a.sequence - b.sequence);
}

/**
 * Where the last process of a run left its record, it did not end well: the record is put aside as
 * `flight-recorder-before.jsonl` (of a rank: with its number) and its last event returned.
 */
export function putAsideFlightRecorder(runFolder: string, rank: number): FlightEvent | undefined {
  const path = flightRecorderFile(runFolder, rank);
  const last = readFlightRecorder(path).at(-1);
  if (last !== undefined) renameSync(path, path.replace(/\.jsonl$/, "-before.jsonl"));
  return last;
}
