import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CorpusDiff, CorpusReport, MixturePlan, TaskCoverage } from "../../src/corpus/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-data-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function tilth(...parameters: string[]) {
  return spawnSync(process.execPath, [cli, ...parameters], { encoding: "utf8", cwd: folder });
}

function json<Result>(...parameters: string[]): Result {
  const { status, stdout, stderr } = tilth(...parameters, "--json");
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as Result;
}

beforeAll(() => {
  for (const [name, count] of Object.entries({ notes: 20, pages: 80 })) {
    const files = Array.from({ length: count }, (_, i) => [`${name}/${i}.md`, `${prose(14, count, i)}\n`]);
    writeFiles(folder, Object.fromEntries(files));
  }
  writeFileSync(join(folder, "quiz.jsonl"), `${JSON.stringify({ question: prose(1, 80, 3) })}\n`);
  writeFileSync(
    join(folder, "mixture.yaml"),
    "groupBy: source\nmaximumEpochs: 2\ngroups: [{ name: folder:notes, share: 0.5 }, { name: folder:pages, share: 0.5 }]\n",
  );
  const build = (...more: string[]) => tilth("data", "build", ...more, "--accept", "review", "--workers", "0").status;
  expect(build("--folder", "notes", "--corpus", "small/corpus")).toBe(0);
  expect(build("--folder", "notes", "--folder", "pages", "--corpus", "run/corpus")).toBe(0);
  expect(tilth("tokenizer", "train", "--corpus", "run/corpus", "--vocabulary", "400").status).toBe(0);
}, 120_000);

describe("tilth data", () => {
  const mix = ["data", "mix", "--corpus", "run/corpus", "--tokenizer", "tokenizer.json"];

  it("mix --plan writes nothing, and mix writes what it said; the report of the run shows it", () => {
    const before = readdirSync(folder, { recursive: true });
    const plan = json<MixturePlan>(...mix, "--mixture", "mixture.yaml", "--plan");
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
    const capped = Object.fromEntries(plan.groups.map((group) => [group.name, group.capped]));
    expect(capped).toEqual({ "folder:notes": true, "folder:pages": false });
    const text = tilth(...mix, "--mixture", "mixture.yaml", "--plan").stdout;
    expect(text).toContain("Caps that bind: folder:notes at 2 epochs");
    expect(json<MixturePlan>(...mix, "--mixture", "mixture.yaml", "--out", "run/shards")).toEqual(plan);
    const shards = JSON.parse(readFileSync(join(folder, "run/shards/shards.json"), "utf8")) as { tokens: number };
    expect(shards.tokens).toBe(plan.tokens);
    const report = json<CorpusReport>("data", "report", "--corpus", "run", "--out", "report");
    expect(report.mixture.plan).toEqual(plan);
    expect(readFileSync(join(folder, "report/report.html"), "utf8")).toContain(
      "Mixture of the training tokens by group",
    );
  });

  it("mix says what is missing or wrong", () => {
    expect(tilth(...mix).stderr).toContain("--plan or --out");
    expect(tilth("data", "mix", "--corpus", "run/corpus", "--plan").stderr).toContain("--tokenizer is needed");
    writeFileSync(join(folder, "wrong.yaml"), "temprature: 2\n");
    const wrong = tilth(...mix, "--mixture", "wrong.yaml", "--plan");
    expect([wrong.status, wrong.stderr.includes('did you mean "temperature"?')]).toEqual([2, true]);
  });

  it("diff compares corpora and runs", () => {
    const diff = json<CorpusDiff>("data", "diff", "small", "run");
    expect(diff.documents).toMatchObject({ added: 80, removed: 0, edited: 0 });
    expect(diff.shares.source.map(({ name }) => name).sort()).toEqual(["folder:notes", "folder:pages"]);
    expect(tilth("data", "diff", "small/corpus", "run/corpus").stdout).toContain("Documents: 80 added");
    expect(tilth("data", "diff", "small").stderr).toContain("two corpora are expected");
  });

  it("coverage and report hold tasks against what trains", () => {
    const task = ["--evaluation-set", "quiz=quiz.jsonl:question"];
    const [quiz] = json<TaskCoverage[]>("data", "coverage", "--corpus", "run", ...task);
    expect(quiz).toMatchObject({ name: "quiz", items: 1 });
    expect(quiz.grams[0].covered).toBe(quiz.grams[0].distinct);
    const report = json<CorpusReport>("data", "report", "--corpus", "run", ...task);
    expect(report.coverage).toEqual([quiz]);
    expect(tilth("data", "coverage", "--corpus", "run").stderr).toContain("which evaluation sets?");
  });

  it("query refuses to write, with exit code 2", () => {
    const { status, stderr } = tilth("data", "query", "COPY documents TO 'copy.csv'", "--corpus", "run");
    expect([status, readdirSync(folder).includes("copy.csv")]).toEqual([2, false]);
    expect(stderr).toContain("opens no file but the store's");
  });
});
