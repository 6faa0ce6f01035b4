import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { guardNames, guards } from "../../src/adaptation/index.ts";

it("the guards that the documentation lists are those of the registry, with their limits", () => {
  const page = readFileSync("docs/adaptation.md", "utf8");
  const table = page.split("<!-- table: guards")[1].split("<!-- end -->")[0];
  const listed = table.split("\n").filter((line) => line.startsWith("| `"));
  expect(listed).toEqual(
    guardNames.map((name) => {
      const { summary, limit, unit } = guards[name];
      return `| \`${name}\` | ${summary} | ${limit} ${unit} |`;
    }),
  );
});
