import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Random } from "../../src/foundation/index.ts";
import { openVectors, type VectorRow, writeVectors } from "../../src/retrieval/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-vectors-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const width = 24;
const random = new Random(3);
const rows: VectorRow[] = Array.from({ length: 3000 }, (_, index) => ({
  id: `id-${String(index).padStart(4, "0")}`,
  text: `text ${index} that's "quoted"`,
  source: index % 3 === 0 ? "npm:zod@4" : "folder:notes",
  path: `${index}.md`,
  licence: index % 2 === 0 ? "MIT" : null,
  // The last one has no direction.
  vector: Float32Array.from({ length: width }, () => (index === 2999 ? 0 : random.normal())),
}));
const description = {
  ...{ checkpoint: "/models/one", model: "abc", of: "texts" as const },
  ...{ pooling: "mean", normalized: true, width },
};

async function* stream(count = rows.length): AsyncGenerator<VectorRow> {
  yield* rows.slice(0, count);
}

const cosine = (a: Float32Array, b: Float32Array) => {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, index) => sum + value * y[index], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

describe("a file of vectors", () => {
  const file = join(folder, "it's [all].parquet");

  it("gives the rows nearest to a vector, as computing every cosine does", async () => {
    expect(await writeVectors(file, description, stream())).toBe(rows.length);
    const index = await openVectors(file);
    try {
      expect(index.rows).toBe(rows.length);
      expect(index.description).toEqual({ format: "tilth-vectors", version: 1, ...description });
      const query = Float32Array.from({ length: width }, () => random.normal());
      const expected = rows
        .slice(0, -1)
        .map(({ vector, ...row }) => ({ ...row, score: cosine(vector, query) }))
        .sort((a, b) => b.score - a.score);
      const found = await index.nearest(query, { top: 10 });
      expect(found.map(({ id }) => id)).toEqual(expected.slice(0, 10).map(({ id }) => id));
      for (const [rank, hit] of found.entries()) {
        expect(hit.score).toBeCloseTo(expected[rank].score, 5);
        expect({ ...hit, score: 0 }).toEqual({ ...expected[rank], score: 0 });
      }
      const mine = await index.nearest(query, { top: 5, where: "licence = 'MIT' AND source LIKE 'npm:%'" });
      expect(mine.map(({ id }) => id)).toEqual(
        expected
          .filter(({ licence, source }) => licence === "MIT" && source === "npm:zod@4")
          .slice(0, 5)
          .map(({ id }) => id),
      );
      // The one without a direction comes last.
      expect((await index.nearest(query, { top: 10_000 })).at(-1)).toMatchObject({ id: "id-2999", score: -1 });
    } finally {
      index.close();
    }
  });

  it.each([
    ["1; DROP VIEW vectors", /the condition 1; DROP VIEW vectors fails/],
    ["true) UNION ALL (SELECT 1", /fails/],
    ["licence = (SELECT content FROM read_text('/etc/hostname'))", /disabled by configuration/],
    ["colour = 'red'", /colour/],
    ["true) --", /fails/],
  ])("refuses the condition %s", async (where, message) => {
    const index = await openVectors(file);
    try {
      await expect(index.nearest(rows[0].vector, { top: 1, where })).rejects.toThrow(message);
      expect(await index.nearest(rows[0].vector, { top: 1 })).toHaveLength(1);
    } finally {
      index.close();
    }
  });

  it("appears whole or not at all", async () => {
    const broken = join(folder, "broken.parquet");
    async function* breaking(): AsyncGenerator<VectorRow> {
      yield* rows.slice(0, 1500);
      throw new Error("the model broke");
    }
    await expect(writeVectors(broken, description, breaking())).rejects.toThrow("the model broke");
    expect(existsSync(broken)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.includes("broken"))).toEqual([]);
  });

  it("may hold nothing", async () => {
    const empty = join(folder, "empty.parquet");
    expect(await writeVectors(empty, description, stream(0))).toBe(0);
    const index = await openVectors(empty);
    expect(await index.nearest(rows[0].vector, { top: 3 })).toEqual([]);
    index.close();
  });

  it("is told from other files", async () => {
    await expect(openVectors(join(folder, "none.parquet"))).rejects.toThrow(/there is no file of vectors at/);
    const text = join(folder, "text.parquet");
    writeFileSync(text, "no Parquet at all");
    await expect(openVectors(text)).rejects.toThrow(/cannot be read/);
  });
});
