/** The figures of a log as columns of numbers: what a million steps fit into, and what the page is sent. */
import { GrowingColumns } from "./growing-columns.ts";
import type { GroupName } from "./protocol.ts";

/** Rows that share their steps. */
export class Columns extends GrowingColumns {
  /** Step of the last row; undefined where there is none. */
  get lastStep(): number | undefined {
    return this.rows === 0 ? undefined : this.steps[this.rows - 1];
  }

  push(step: number, tokens: number, figures: Readonly<Record<string, number>>): void {
    this.reserve(this.rows + 1);
    this.steps[this.rows] = step;
    this.tokens[this.rows] = tokens;
    for (const name in figures) this.column(name)[this.rows] = figures[name];
    this.rows += 1;
  }

  /** The columns from a row on, as bytes; each starts at a multiple of 8. */
  bytes(from: number): Uint8Array[] {
    const all = [this.steps, this.tokens, ...this.values.values()].map((column) => column.subarray(from, this.rows));
    return all.map((column) => {
      const padded = new Uint8Array(Math.ceil(column.byteLength / 8) * 8);
      padded.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
      return padded;
    });
  }
}

/** A group of columns for every kind of line that holds figures. */
export type ColumnGroups = Readonly<Record<GroupName, Columns>>;

/** Groups without rows. */
export function emptyGroups(): ColumnGroups {
  return { step: new Columns(), validation: new Columns(), checkpoint: new Columns() };
}

/** One answer: the header's length as u32, the header padded with spaces to a multiple of 8 (the length too), the columns. */
export function encodeColumns(header: object, columns: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const padding = (8 - ((4 + text.length) % 8)) % 8;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length + padding);
  return Buffer.concat([length, text, Buffer.alloc(padding, " "), ...columns]);
}
