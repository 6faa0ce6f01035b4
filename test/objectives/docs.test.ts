import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { z } from "zod";
import { objectives } from "../../src/objectives/index.ts";

it("docs/objectives.md lists every objective of the registry with its settings", () => {
  const page = readFileSync("docs/objectives.md", "utf8");
  const table = page.slice(page.indexOf("<!-- table: objectives"), page.indexOf("<!-- end -->"));
  const rows = Object.entries(objectives).map(([name, { summary, families, settings }]) => {
    const { properties } = z.toJSONSchema(settings, { io: "input" }) as { properties: object };
    const names = Object.keys(properties).map((one) => `\`${one}\``);
    return `| \`${name}\` | ${summary} | ${families.join(", ")} | ${names.join(", ")} |`;
  });
  expect(table.split("\n").filter((line) => line.startsWith("| `"))).toEqual([
    "| `objective.kind` | what is learned | models | settings |",
    ...rows,
  ]);
});
