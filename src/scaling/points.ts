/** What a scaling law is fitted to: trained models with their size, tokens and final loss, read from a CSV table. */
import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import { messageOf, nearest, TilthError, UsageError } from "../foundation/index.ts";

/** One trained model. `loss` in nats a token, on held-out text. */
export interface ScalingPoint {
  readonly parameters: number;
  readonly tokens: number;
  readonly loss: number;
}

/** Which columns of a table hold what; tokens may be given as training FLOPs instead (C = 6 · parameters · tokens). */
export interface PointColumns {
  readonly parameters: string;
  readonly tokens?: string;
  readonly flops?: string;
  readonly loss: string;
}

/** Training FLOPs of a point (Kaplan et al. 2020): 6 · parameters · tokens. */
export function flopsOf({ parameters, tokens }: Pick<ScalingPoint, "parameters" | "tokens">): number {
  return 6 * parameters * tokens;
}

/**
 * Reads a CSV with a header line. Throws UsageError for a column that is not there, TilthError for a cell that is no
 * positive number (with its line).
 */
export function readPoints(file: string, columns: PointColumns): ScalingPoint[] {
  if ((columns.tokens === undefined) === (columns.flops === undefined)) {
    throw new UsageError("a column of tokens or one of FLOPs is needed, and not both", {
      remedy: "Give --tokens <column> or --flops <column>.",
    });
  }
  const table = readTable(file);
  const header = Object.keys(table[0]);
  for (const name of Object.values<string | undefined>({ ...columns })) {
    if (name === undefined || header.includes(name)) continue;
    const guess = nearest(name, header);
    throw new UsageError(`${file} has no column "${name}"; it has: ${header.join(", ")}`, {
      remedy: guess === undefined ? "Name a column of the header line." : `Did you mean "${guess}"?`,
    });
  }
  return table.map((row, index) => {
    const cell = (name: string) => {
      const value = Number(row[name]);
      if (row[name].trim() !== "" && Number.isFinite(value) && value > 0) return value;
      throw new TilthError(`${file}, row ${index + 1}: ${name} is "${row[name]}", expected a positive number`, {
        remedy: "Correct the cell or remove the row.",
      });
    };
    const parameters = cell(columns.parameters);
    const tokens = columns.tokens === undefined ? cell(columns.flops!) / (6 * parameters) : cell(columns.tokens);
    return { parameters, tokens, loss: cell(columns.loss) };
  });
}

function readTable(file: string): Record<string, string>[] {
  let rows: Record<string, string>[];
  try {
    rows = parse(readFileSync(file, "utf8"), { columns: true, bom: true, trim: true, skip_empty_lines: true });
  } catch (cause) {
    throw new TilthError(`${file} cannot be read as CSV: ${messageOf(cause)}`, {
      remedy: "Give a comma-separated table whose first line names the columns.",
      cause,
    });
  }
  if (rows.length === 0) throw new TilthError(`${file} has no rows below its header line`);
  return rows;
}
