import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { filterSettings, judgeDocument, measureDocument } from "../../src/corpus/filters/index.ts";

const document = z.object({
  path: z.string(),
  text: z.string().optional(),
  sha256: z.string().optional(),
  reasons: z.record(z.string(), z.string()),
});
const fixture = z
  .object({ excerpts: z.array(document), packages: z.array(document) })
  .parse(
    JSON.parse(gunzipSync(readFileSync(join(import.meta.dirname, "fixtures/datatrove.json.gz"))).toString("utf8")),
  );

const settings = filterSettings.parse({});

/** As the generator does it. */
function normal(text: string): string {
  return text
    .replaceAll("\t", "    ")
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/\n{4,}/g, "\n\n\n")
    .replace(/^\n+|\n+$/g, "");
}

const documents = [
  ...fixture.excerpts.map(({ path, text, reasons }) => ({ path, text: text!, reasons })),
  // Another version of a package has another text: it is left out.
  ...fixture.packages.flatMap(({ path, sha256, reasons }) => {
    const file = join("node_modules", path);
    if (!existsSync(file)) return [];
    const bytes = readFileSync(file);
    return createHash("sha256").update(bytes).digest("hex") === sha256
      ? [{ path, text: normal(bytes.toString("utf8")), reasons }]
      : [];
  }),
].map((one) => ({
  ...one,
  ours: judgeDocument(measureDocument(one.text, "web"), "web", settings).map(({ rule }) => rule),
}));

/**
 * Documents about which the two decide differently, as shares: docs/data/filters.md says why. The bounds are what was
 * measured when the fixture was made, and a little; a change in the way of counting shows here.
 */
const measured: Readonly<Record<string, number>> = {
  "gopher-quality": 0.72,
  "gopher-repetition": 0.17,
  fineweb: 0.13,
  c4: 0.34,
};

describe("the filters beside datatrove's", () => {
  it("has a few hundred real documents", () => {
    expect(documents.length).toBeGreaterThan(200);
  });

  it.each(Object.keys(measured))("%s differs no more than is documented", (filter) => {
    const differing = documents.filter(
      ({ ours, reasons }) => ours.some((rule) => rule.startsWith(`${filter}.`)) !== filter in reasons,
    );
    if (process.env.TILTH_SHOW_DIFFERENCES !== undefined) {
      for (const { path, ours, reasons } of differing) {
        console.log(
          filter,
          path,
          ours.filter((rule) => rule.startsWith(filter)).join(" ") || "keeps",
          "|",
          reasons[filter] ?? "keeps",
        );
      }
      console.log(filter, differing.length, "of", documents.length);
    }
    expect(differing.length / documents.length).toBeLessThanOrEqual(measured[filter]);
  });
});
