/** The figures of a log as columns of numbers: what a million steps fit into, and what the page is sent. */
import type { GroupName } from "./protocol.ts";

/** Rows that share their steps. What a row does not have is NaN. */
export class Columns {
  rows = 0;
  private steps = new Float64Array(64);
  /** Tokens trained on until the row. */
  private tokens = new Float64Array(64);
  private readonly values = new Map<string, Float32Array>();

  get names(): string[] {
    return [...this.values.keys()];
  }

  /** Step of the last row; undefined where there is none. */
  get lastStep(): number | undefined {
    return this.rows === 0 ? undefined : this.steps[this.rows - 1];
  }

  push(step: number, tokens: number, figures: Readonly<Record<string, number>>): void {
    if (this.rows === this.steps.length) this.grow();
    this.steps[this.rows] = step;
    this.tokens[this.rows] = tokens;
    for (const name in figures) {
      let column = this.values.get(name);
      if (column === undefined) {
        column = new Float32Array(this.steps.length).fill(Number.NaN);
        this.values.set(name, column);
      }
      column[this.rows] = figures[name];
    }
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

  private grow(): void {
    const larger = this.steps.length * 2;
    const [steps, tokens] = [new Float64Array(larger), new Float64Array(larger)];
    steps.set(this.steps);
    tokens.set(this.tokens);
    [this.steps, this.tokens] = [steps, tokens];
    for (const [name, column] of this.values) {
      const grown = new Float32Array(larger).fill(Number.NaN);
      grown.set(column);
      this.values.set(name, grown);
    }
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
