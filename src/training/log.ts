/** The run's log: one JSON object a line, appended as it happens, cut back to the checkpoint on resume. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../foundation/index.ts";

/** One optimizer step. `loss` in nats a token. */
export interface StepRecord {
  readonly kind: "step";
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  readonly gradientNorm: number;
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Image-text pairs, for the contrastive objective. */
  readonly pairs?: number;
  readonly pairsPerSecond?: number;
  /** Share of the measured matrix-product peak; null where it was not measured. */
  readonly mfu: number | null;
  /** Seconds spent outside kernels, as a share of the step; null where the backend does not measure. */
  readonly hostShare: number | null;
}

/** One validation pass. `loss` in nats a token. */
export interface ValidationRecord {
  readonly kind: "validation";
  readonly step: number;
  readonly loss: number;
  /** Further figures of the objective, e.g. recall. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** A checkpoint that is complete on the disk. */
export interface CheckpointRecord {
  readonly kind: "checkpoint";
  readonly step: number;
  readonly path: string;
}

/** Anything that the run reports. */
export type RunRecord = StepRecord | ValidationRecord | CheckpointRecord;

/** The log of a run folder. */
export class RunLog {
  private readonly path: string;

  constructor(runFolder: string) {
    this.path = join(runFolder, "log.jsonl");
  }

  append(record: RunRecord): void {
    appendFileSync(this.path, `${JSON.stringify(record)}\n`);
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
    const kept = this.read().filter((record) => record.step <= step);
    writeFileAtomically(this.path, kept.map((record) => `${JSON.stringify(record)}\n`).join(""));
  }
}
