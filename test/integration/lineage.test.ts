import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyLineage } from "../../src/lineage/index.ts";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-lineage-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const checkpoint = "runs/a/checkpoints/step-0000012";

function tilth(...parameters: string[]) {
  return spawnSync(process.execPath, [cli, ...parameters], { encoding: "utf8", cwd: folder });
}

function run(...parameters: string[]): string {
  const { status, stdout, stderr } = tilth(...parameters);
  expect(status, stderr).toBe(0);
  return stdout;
}

const configuration = (runFolder: string) => ({
  ...{ runFolder, tokenizer: { vocabularySize: 400 } },
  corpus: { sources: [{ reader: "folder", path: "text", licence: "Apache-2.0" }] },
  model: { architecture: "llama", width: 16, layers: 1, attentionHeads: 2 },
  training: {
    ...{ steps: 12, batchSequences: 2, microBatchSequences: 2, sequenceLength: 64, checkpointEvery: 6 },
    schedule: { warmupSteps: 2 },
  },
});

/** Every file of an artefact and its record. */
function filesBelow(path: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

beforeAll(() => {
  cpSync(join(process.cwd(), "docs"), join(folder, "text"), { recursive: true });
  writeFileSync(join(folder, "a.yaml"), JSON.stringify(configuration("runs/a")));
  run("train", "a.yaml");
  run("export", checkpoint, "--to", "huggingface", "--out", "exported");
  run("export", "exported", "--to", "gguf", "--out", "model.gguf");
}, 300_000);

describe("the lineage of an export", () => {
  it("leads over checkpoint, shards and corpus to the raw files, with the licences of what was seen", () => {
    const graph = JSON.parse(run("lineage", "model.gguf", "--json"));
    expect(graph.artefacts.map(({ kind }: { kind: string }) => kind)).toEqual([
      ...["export", "export", "checkpoint", "shards", "corpus", "source"],
    ]);
    expect(graph.activities.map(({ command }: { command: string }) => command)).toEqual([
      "export",
      "export",
      "train",
      "data mix",
      "data build",
    ]);
    expect(graph.rights).toEqual([expect.objectContaining({ licence: "Apache-2.0", documents: expect.any(Number) })]);
    expect(run("lineage", "model.gguf")).toContain("read by folder: text");
  });

  it("is a PROV document whose every name is defined, and a page that loads nothing", () => {
    run("lineage", "model.gguf", "--prov", "chain.json", "--html", "chain.html");
    const prov = JSON.parse(readFileSync(join(folder, "chain.json"), "utf8"));
    for (const row of Object.values<Record<string, string>>(prov.used)) {
      expect(prov.activity).toHaveProperty([row["prov:activity"]]);
      expect(prov.entity).toHaveProperty([row["prov:entity"]]);
    }
    expect(Object.keys(prov.wasDerivedFrom)).toHaveLength(5);
    const page = readFileSync(join(folder, "chain.html"), "utf8");
    expect(page).toContain("tilth data build");
    expect(page).not.toMatch(/<script|src=|href=/);
  });

  it("answers SQL, and tells the steps that saw a document", () => {
    const rows = run(
      "lineage",
      checkpoint,
      "--query",
      "SELECT id, path, first_step AS step FROM seen JOIN documents USING (id) ORDER BY step, id",
    )
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; path: string; step: number });
    expect(rows.length).toBeGreaterThan(3);
    for (const { id, path, step } of rows.slice(0, 4)) {
      const traced = JSON.parse(run("lineage", checkpoint, "--document", id.slice(0, 12), "--json"));
      expect(traced).toMatchObject({ id, path });
      expect(traced.steps[0]).toBe(step);
    }
    const half = run(
      "lineage",
      "runs/a/checkpoints/step-0000006",
      "--query",
      "SELECT max(first_step) AS last FROM seen",
    );
    expect(JSON.parse(half).last).toBeLessThanOrEqual(6);
    expect(tilth("lineage", checkpoint, "--query", "SELECT nothing").stderr).toContain("Tables: artefacts");
  });

  it("is the same for the same work, wherever it is done", () => {
    writeFileSync(join(folder, "b.yaml"), JSON.stringify(configuration("runs/b")));
    run("train", "b.yaml");
    const record = (name: string) =>
      readFileSync(join(folder, `runs/${name}/checkpoints/step-0000012/lineage.json`), "utf8");
    expect(record("b")).toBe(record("a"));
  });
});

describe("tilth lineage verify", () => {
  it("finds every artefact intact, also when the run was moved or the checkpoint lies alone", async () => {
    const states = async (path: string) => (await verifyLineage(path)).map(({ kind, state }) => `${kind} ${state}`);
    const whole = [
      "export intact",
      "export intact",
      "checkpoint intact",
      "shards intact",
      "corpus intact",
      "source intact",
    ];
    expect(await states(join(folder, "model.gguf"))).toEqual(whole);
    cpSync(join(folder, "runs/a"), join(folder, "runs/moved"), { recursive: true });
    expect(await states(join(folder, "runs/moved/checkpoints/step-0000012"))).toEqual(whole.slice(2));
    cpSync(join(folder, checkpoint), join(folder, "elsewhere/deep/er/alone"), { recursive: true });
    expect(await states(join(folder, "elsewhere/deep/er/alone"))).toEqual(["checkpoint intact", "shards absent"]);
  });

  it("finds any flipped bit in any file of the chain, and names the file", async () => {
    const read = readFileSync(join(folder, "runs/a/corpus/sources.sha256"), "utf8").trim().split("\n");
    const files = ["runs/a/corpus", "runs/a/shards", checkpoint, "exported"].flatMap((one) =>
      filesBelow(join(folder, one)),
    );
    files.push(...read.map((line) => join(folder, "runs/a", line.slice(66))));
    files.push(...["model.gguf", "model.gguf.lineage.json"].map((name) => join(folder, name)));
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.nat({ max: 7 }), async (whichFile, whichByte, bit) => {
        const file = files[whichFile % files.length];
        const { size, mode } = statSync(file);
        if (size === 0) return;
        const bytes = readFileSync(file);
        const offset = whichByte % size;
        const changed = Buffer.from(bytes);
        changed[offset] ^= 1 << bit;
        writeFileSync(file, changed, { mode });
        try {
          const found = await verifyLineage(join(folder, "model.gguf"));
          const problems = found.flatMap((one) => one.problems);
          expect(problems.length, `${file}, byte ${offset}, bit ${bit}`).toBeGreaterThan(0);
          expect(problems.join("\n")).toContain(file);
        } finally {
          writeFileSync(file, bytes, { mode });
        }
      }),
      { numRuns: 150, seed: 11 },
    );
  }, 300_000);

  it("finds a file that is missing, one that was added, and a record that is gone", async () => {
    const problems = async () => (await verifyLineage(join(folder, "model.gguf"))).flatMap((one) => one.problems);
    const record = join(folder, "runs/a/shards/lineage.json");
    renameSync(record, `${record}.away`);
    expect((await problems()).join("\n")).toContain(`${record} is missing`);
    renameSync(`${record}.away`, record);
    const added = join(folder, checkpoint, "added.txt");
    writeFileSync(added, "x");
    expect(await problems()).toEqual([`${added} is not in ${join(folder, checkpoint, "checksums.json")}`]);
    rmSync(added);
    rmSync(join(folder, "exported/tokenizer.json"));
    const { status, stdout, stderr } = tilth("lineage", "verify", "model.gguf");
    expect(status).toBe(1);
    expect(stdout).toContain("exported/tokenizer.json is missing");
    expect(stderr).toContain("1 of 6 artefacts are not what was recorded");
  });

  it("says that a corpus was replaced by a take-down, and what has no record", () => {
    const [{ id }] = run(
      "lineage",
      "runs/b/checkpoints/step-0000012",
      "--query",
      "SELECT id FROM seen ORDER BY id LIMIT 1",
    )
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string });
    run("data", "takedown", "runs/b", "--id", id, "--reason", "asked by its author");
    const verified = run("lineage", "verify", "runs/b/checkpoints/step-0000012");
    expect(verified).toMatch(/intact +checkpoint/);
    expect(verified).toMatch(/replaced since +shards/);
    expect(verified).toMatch(/(intact|replaced since) +corpus/);
    expect(existsSync(join(folder, "text"))).toBe(true);
    expect(tilth("lineage", "text").stderr).toContain("has no record of where it comes from");
    expect(tilth("lineage", "nothing").stderr).toContain("there is nothing at");
  });
});
