import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildCorpus, type CorpusDiff, compareCorpora, openDocumentStore, renderDiff } from "../../src/corpus/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-diff-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const accept = ["allow", "attribute", "review"] as ("allow" | "attribute" | "review")[];

async function built(name: string, texts: Record<string, string>, settings: object) {
  writeFiles(join(root, name, "texts"), texts);
  const { folder } = await buildCorpus({
    sources: [{ reader: "folder", path: join(root, name, "texts"), name: "texts" }],
    folder: join(root, name, "corpus"),
    settings: { licences: { accept }, ...settings },
    workers: 0,
  });
  return { folder, store: await openDocumentStore(folder) };
}

let same: CorpusDiff;
let diff: CorpusDiff;

beforeAll(async () => {
  const texts = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${i}.md`, prose(12, i)]));
  const before = await built("before", { ...texts, "gone.md": prose(12, 100), "copy.md": texts["1.md"] }, {});
  const changed = { "2.md": prose(12, 200), "new.md": prose(40, 300), "3.md": "buy now ".repeat(200) };
  const after = await built("after", { ...texts, ...changed }, { split: { seed: 2 } });
  same = await compareCorpora(before, before);
  diff = await compareCorpora(before, after);
  before.store.close();
  after.store.close();
});

describe("the difference of two builds", () => {
  it("is nothing between a build and itself", () => {
    expect(same.documents).toEqual({ added: 0, removed: 0, edited: 0, changedVerdict: 0, unchanged: 32 });
    expect(same).toMatchObject({ transitions: [], settings: [], quality: { measures: [] } });
    for (const shares of Object.values(same.shares)) {
      for (const { shareBefore, shareAfter } of shares) expect(shareBefore).toBe(shareAfter);
    }
    expect(renderDiff(same)).toContain("Settings: no difference");
  });

  it("names documents that came, went, were edited, or changed their verdict, with the reasons", () => {
    expect(diff.documents).toMatchObject({ added: 1, removed: 2, edited: 2, changedVerdict: 1 });
    const find = (before: string | null, after: RegExp | null) =>
      diff.transitions.find(
        (one) => one.before === before && (after === null ? one.after === null : after.test(one.after ?? "")),
      );
    expect(find("kept", null)).toMatchObject({ documents: 1, examples: [{ path: "gone.md" }] });
    const copy = diff.transitions.find((one) => one.after === null && one.before?.startsWith("exact-duplicate"));
    expect(copy).toMatchObject({ documents: 1, examples: [{ path: "copy.md" }] });
    expect(find(null, /^kept$/)!.examples.map(({ path }) => path)).toContain("new.md");
    expect(find("kept", /^filter: /)).toMatchObject({ documents: 1, examples: [{ path: "3.md" }] });
    const total = diff.documents.added + diff.documents.removed + diff.documents.changedVerdict;
    expect(diff.transitions.reduce((sum, { documents }) => sum + documents, 0)).toBe(total);
  });

  it("has shares that sum to one, duplicates, moved measures and settings", () => {
    const { kind } = diff.shares;
    expect(kind.reduce((sum, { shareBefore }) => sum + shareBefore, 0)).toBeCloseTo(1, 12);
    expect(kind.reduce((sum, { shareAfter }) => sum + shareAfter, 0)).toBeCloseTo(1, 12);
    expect(diff.deduplication.before.exact.documents).toBe(1);
    expect(diff.deduplication.after.exact.documents).toBe(0);
    expect(diff.settings).toContainEqual({ setting: "split.seed", before: 1, after: 2 });
    expect(diff.quality.measures.length).toBeGreaterThan(0);
    expect(diff.quality.measures[0].shift).toBeGreaterThanOrEqual(diff.quality.measures.at(-1)!.shift);
    const text = renderDiff(diff);
    for (const part of ["1 with another verdict", "→ (not there)", "exact", "split.seed: 1 → 2"])
      expect(text).toContain(part);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(160);
  });
});
