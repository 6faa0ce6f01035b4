import { UsageError } from "../../foundation/index.ts";
import type { Command } from "../command.ts";
import { storeOptions, withStore } from "./store.ts";

/** `tilth data query` */
export const query: Command = {
  summary: "any SQL over the documents, read-only",
  usage: '"<sql>" --corpus <folder>',
  options: storeOptions,
  examples: [
    'tilth data query "SELECT source, count(*) AS documents FROM documents WHERE kept GROUP BY ALL ORDER BY 2 DESC LIMIT 10"',
  ],
  async run(input) {
    const [sql] = input.positionals;
    if (sql === undefined) throw new UsageError("which query? The view is called documents; try DESCRIBE documents.");
    await withStore(input, async (store) => {
      const rows = await store.query(sql);
      const text = (value: unknown) =>
        typeof value === "object" || typeof value === "bigint" ? json(value) : String(value);
      if (input.flag("json")) return `${json(rows)}\n`;
      const names = Object.keys(rows[0] ?? {});
      const lines = [
        names,
        ...rows.map((row) => names.map((name) => text(row[name]).replace(/\s+/g, " ").slice(0, 80))),
      ];
      const widths = names.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
      return `${lines
        .map((line) =>
          line
            .map((cell, column) => cell.padEnd(widths[column]))
            .join("  ")
            .trimEnd(),
        )
        .join("\n")}\n`;
    });
  },
};

function json(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? item.toString() : item)) ?? "null";
}
