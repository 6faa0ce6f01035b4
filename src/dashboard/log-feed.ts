/** Follows a run's log: reads what was added since the last look, and notices when it was cut or written anew. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type RunRecord, scalarsOf } from "../training/index.ts";
import { emptyGroups, encodeColumns } from "./columns.ts";
import { groupNames } from "./growing-columns.ts";
import type { ColumnsHeader, GroupName, LogPosition, Note } from "./protocol.ts";

const pieceBytes = 1 << 20;

/** The log of one run. */
export class LogFeed {
  /** When the log was last written, milliseconds since 1970; 0 where there is none. */
  writtenAt = 0;
  notes: Note[] = [];
  private groups = emptyGroups();
  private generation = 1;
  private offset = 0;
  private inode = 0;
  private tokens = 0;
  private reading: Promise<boolean> | undefined;

  constructor(readonly path: string) {}

  get position(): LogPosition {
    const { step, validation, checkpoint } = this.groups;
    const rows = { step: step.rows, validation: validation.rows, checkpoint: checkpoint.rows };
    return { generation: this.generation, rows, notes: this.notes.length };
  }

  get lastStep(): number {
    return this.groups.step.lastStep ?? 0;
  }

  /** Reads what was added. True where there was something. Others are served between two pieces. */
  read(): Promise<boolean> {
    this.reading ??= this.readOn().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  /** The columns from given rows on; all of them where the generation is another. */
  columnsFrom(generation: number, from: Readonly<Record<GroupName, number>>): Buffer {
    const begins = (name: GroupName) =>
      generation === this.generation ? Math.min(from[name], this.groups[name].rows) : 0;
    const described = (name: GroupName) => ({
      from: begins(name),
      columns: ["step", "tokens", ...this.groups[name].names],
    });
    const groups = {
      step: described("step"),
      validation: described("validation"),
      checkpoint: described("checkpoint"),
    };
    const header: ColumnsHeader = { ...this.position, groups };
    return encodeColumns(
      header,
      groupNames.flatMap((name) => this.groups[name].bytes(begins(name))),
    );
  }

  private async readOn(): Promise<boolean> {
    let descriptor: number;
    try {
      descriptor = openSync(this.path, "r");
    } catch {
      return false;
    }
    try {
      const { size, ino, mtimeMs } = fstatSync(descriptor);
      this.writtenAt = mtimeMs;
      if (ino !== this.inode || size < this.offset) this.restart(ino);
      let grew = false;
      const piece = Buffer.allocUnsafe(pieceBytes);
      for (let got = -1; got !== 0; ) {
        got = readSync(descriptor, piece, 0, pieceBytes, this.offset);
        if (got === 0) break;
        // Whole lines only: a character may be cut where the piece ends.
        const end = piece.subarray(0, got).lastIndexOf(10) + 1;
        if (end === 0 && got < pieceBytes) break;
        this.take(piece.toString("utf8", 0, end));
        // A line longer than a piece is none of a run's: it is passed over.
        this.offset += end === 0 ? got : end;
        grew = true;
        await new Promise((resolve) => setImmediate(resolve));
      }
      return grew;
    } finally {
      closeSync(descriptor);
    }
  }

  private restart(inode: number): void {
    if (this.offset > 0) this.generation += 1;
    this.inode = inode;
    [this.offset, this.tokens] = [0, 0];
    this.groups = emptyGroups();
    this.notes = [];
  }

  private take(lines: string): void {
    for (const line of lines.split("\n")) {
      if (line === "") continue;
      let record: RunRecord;
      try {
        record = JSON.parse(line) as RunRecord;
      } catch {
        continue;
      }
      if (typeof record !== "object" || record === null || !Number.isFinite(record.step)) continue;
      this.add(record);
    }
  }

  private add(record: RunRecord): void {
    switch (record.kind) {
      case "step":
        this.tokens += Number.isFinite(record.tokens) ? record.tokens : 0;
        this.groups.step.push(record.step, this.tokens, scalarsOf(record));
        break;
      case "validation":
      case "checkpoint":
        this.groups[record.kind].push(record.step, this.tokens, scalarsOf(record));
        break;
      case "sample":
        this.notes.push({
          kind: "sample",
          step: record.step,
          prompt: String(record.prompt),
          text: String(record.text),
        });
        break;
      case "guard":
        this.notes.push({ kind: "guard", step: record.step, action: record.action, reason: String(record.reason) });
        break;
      case "early-stop":
        this.notes.push({ kind: "early-stop", step: record.step, bestLoss: record.bestLoss });
    }
  }
}
