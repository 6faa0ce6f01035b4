/** Columns of numbers that grow row by row; used by the server and by the page. */

import type { GroupName } from "./protocol.ts";

/** The groups, in the order in which they are sent. */
export const groupNames: readonly GroupName[] = ["step", "validation", "checkpoint"];

/** Rows that share their steps. What a row does not have is NaN. */
export class GrowingColumns {
  rows = 0;
  protected steps = new Float64Array(64);
  /** Tokens trained on until the row. */
  protected tokens = new Float64Array(64);
  protected readonly values = new Map<string, Float32Array>();

  get names(): string[] {
    return [...this.values.keys()];
  }

  /** Makes room for that many rows. */
  protected reserve(rows: number): void {
    if (rows <= this.steps.length) return;
    const length = Math.max(rows, this.steps.length * 2);
    const [steps, tokens] = [new Float64Array(length), new Float64Array(length)];
    steps.set(this.steps);
    tokens.set(this.tokens);
    [this.steps, this.tokens] = [steps, tokens];
    for (const [name, column] of this.values) {
      const grown = new Float32Array(length).fill(Number.NaN);
      grown.set(column);
      this.values.set(name, grown);
    }
  }

  /** The column of a figure, made where it is new. */
  protected column(name: string): Float32Array {
    const known = this.values.get(name);
    if (known !== undefined) return known;
    const made = new Float32Array(this.steps.length).fill(Number.NaN);
    this.values.set(name, made);
    return made;
  }
}
