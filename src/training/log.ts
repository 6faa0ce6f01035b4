/** The run's log: one JSON object a line, appended as it happens, cut back to the checkpoint on resume. */
import { closeSync, existsSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { messageOf, writeFileAtomically } from "../foundation/index.ts";

/** One optimizer step. `loss` in nats a token, with z-loss where that is on. */
export interface StepRecord {
  readonly kind: "step";
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly gradientNorm: number;
  /** ‖update‖ / ‖weights‖, every `updateRatioEvery` steps. */
  readonly updateRatio?: number;
  readonly tokens: number;
  /** Of which replayed general text, where the run replays any. */
  readonly replayedTokens?: number;
  readonly tokensPerSecond: number;
  /** Image-text pairs, for the contrastive objective. */
  readonly pairs?: number;
  readonly pairsPerSecond?: number;
  /** Share of the measured matrix-product peak; null where it was not measured. */
  readonly mfu: number | null;
  /** Seconds spent outside kernels, as a share of the step; null where the backend does not measure. */
  readonly hostShare: number | null;
  /** Seconds of the step that passed while its batch was drawn, as a share. */
  readonly dataShare: number;
  /** Resident memory of the process after the step. */
  readonly memoryBytes?: number;
  /** Name of the token shard that the step read: a take-down writes another. */
  readonly shard?: string;
}

/** One validation pass. `loss` in nats a token. */
export interface ValidationRecord {
  readonly kind: "validation";
  readonly step: number;
  readonly loss: number;
  /** The loss of the averaged weights. */
  readonly averagedLoss?: number;
  /** Further figures of the objective, e.g. recall. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** A checkpoint that is complete on the disk. */
export interface CheckpointRecord {
  readonly kind: "checkpoint";
  readonly step: number;
  readonly path: string;
  /** Seconds that steps waited for the copy, and that the writing took beside them. */
  readonly pauseSeconds: number;
  readonly writeSeconds: number;
}

/** A step that a guard noticed, and what was done about it. */
export interface GuardRecord {
  readonly kind: "guard";
  /** The last step that stands. */
  readonly step: number;
  /** The batch, counted from 1. */
  readonly batch: number;
  readonly action: "warn" | "skip" | "rewind" | "stop";
  readonly reason: string;
}

/** What the model writes at that step after one of the prompts in `training.samples`. */
export interface SampleRecord {
  readonly kind: "sample";
  readonly step: number;
  readonly prompt: string;
  readonly text: string;
}

/** The run ended before its last step: the validation loss no longer fell. */
export interface EarlyStopRecord {
  readonly kind: "early-stop";
  readonly step: number;
  readonly bestLoss: number;
}

/** Anything that the run reports. */
export type RunRecord = StepRecord | ValidationRecord | CheckpointRecord | GuardRecord | SampleRecord | EarlyStopRecord;

/** The log of a run folder. */
export class RunLog {
  readonly path: string;
  private descriptor: number | undefined;
  /** Bytes of the file that are whole lines. */
  private bytes = 0;
  /** Lines that could not be written yet. */
  private waiting = "";

  constructor(
    runFolder: string,
    private readonly warn: (message: string) => void = () => {},
  ) {
    this.path = join(runFolder, "log.jsonl");
  }

  /** Appends a record. What does not fit on a full disk is kept and written later: a run does not end for its log. */
  append(record: RunRecord): void {
    const wasWaiting = this.waiting !== "";
    this.waiting += `${JSON.stringify(record)}\n`;
    try {
      this.flush();
    } catch (error) {
      if (!wasWaiting)
        this.warn(`${this.path} cannot be written (${messageOf(error)}); its lines are kept until it can`);
    }
  }

  /** Writes what waits. Throws where that is not possible. */
  flush(): void {
    if (this.waiting === "") return;
    if (this.descriptor === undefined) {
      this.descriptor = openSync(this.path, existsSync(this.path) ? "r+" : "w");
      this.bytes = statSync(this.path).size;
    }
    const lines = Buffer.from(this.waiting);
    for (let done = 0; done < lines.length; ) {
      done += writeSync(this.descriptor, lines, done, lines.length - done, this.bytes + done);
    }
    this.bytes += lines.length;
    this.waiting = "";
  }

  /** All records; a last line that a crash cut short is left out. */
  read(): RunRecord[] {
    if (!existsSync(this.path)) return [];
    return readFileSync(this.path, "utf8")
      .split("\n")
      .flatMap((line) => {
        try {
          return line === "" ? [] : [JSON.parse(line) as RunRecord];
        } catch {
          return [];
        }
      });
  }

  /** Forgets what came after `step`: those steps will be taken again. */
  cutAfter(step: number): void {
    this.close();
    const kept = this.read().filter((record) => record.step <= step);
    writeFileAtomically(this.path, kept.map((record) => `${JSON.stringify(record)}\n`).join(""));
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
  }
}
