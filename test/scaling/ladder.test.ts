/** `tilth scale run`: rungs trained once each, alone or as elements of an array, and gathered. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "tilth-ladder-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tilth = (...args: string[]) =>
  spawnSync(process.execPath, ["dist/cli.js", "scale", ...args], { encoding: "utf8" });

cpSync("src/scaling", join(folder, "text"), { recursive: true });
const file = join(folder, "ladder.yaml");
writeFileSync(
  file,
  `
runFolder: whole
corpus:
  sources: [{ reader: folder, path: text }]
  settings: { licences: { accept: [allow, attribute, review] }, split: { validationShare: 0.3 } }
tokenizer: { vocabularySize: 300 }
device: { backend: reference, precision: f32 }
training: { sequenceLength: 16, batchSequences: 2, microBatchSequences: 2, validationSequences: 4 }
ladder:
  tokens: [128, 320]
  learningRate: { reference: 4.0e-3, width: 32, exponent: 1 }
  sizes:
    - model: { layers: 1, width: 16, attentionHeads: 1 }
    - model: { layers: 1, width: 32, attentionHeads: 2 }
      tokens: [192]
`,
);

describe("a ladder", () => {
  it("plans sizes by tokens, the learning rate by its rule", () => {
    const plan = JSON.parse(tilth("run", file, "--dry-run", "--json").stdout);
    expect(plan).toMatchObject([
      { name: "size-1-steps-4", tokens: 128, learningRate: 8e-3, warmupSteps: 0 },
      { name: "size-1-steps-10", tokens: 320, learningRate: 8e-3, warmupSteps: 1 },
      { name: "size-2-steps-6", tokens: 192, learningRate: 4e-3 },
    ]);
  });

  it("is the same trained at once or as elements of an array, and trains nothing twice", () => {
    const whole = tilth("run", file, "--json");
    expect(whole.status, whole.stderr).toBe(0);
    const { results, table } = JSON.parse(whole.stdout);
    expect(results).toHaveLength(3);
    expect(readFileSync(table, "utf8").split("\n")[0]).toMatch(/^name,parameters,tokens,flops,loss/);
    const again = tilth("run", file, "--json");
    expect(again.stderr).toMatch(/size-2-steps-6: trained before/);
    expect(JSON.parse(again.stdout)).toEqual({ results, table });

    const array = ["--run", join(folder, "array")];
    expect(tilth("run", file, ...array, "--element", "1/2").stderr).toMatch(/no finished token shards/);
    expect(tilth("run", file, ...array, "--prepare").status).toBe(0);
    expect(tilth("run", file, ...array, "--element", "1/2").status).toBe(0);
    const early = tilth("merge", file, ...array);
    expect(early.status).toBe(1);
    expect(early.stderr).toMatch(/1 of 3 models are not trained yet: size-1-steps-10/);
    expect(tilth("run", file, ...array, "--element", "2/2").status).toBe(0);
    const merged = JSON.parse(tilth("merge", file, ...array, "--json").stdout);
    const losses = (all: { loss: number }[]) => all.map(({ loss }) => loss);
    expect(losses(merged.results)).toEqual(losses(results));
    const changed = tilth("merge", file, ...array, "--set", "training.seed=9");
    expect(changed.stderr).toMatch(/is of another ladder/);
  });

  it.each([
    [["run"], /a ladder's file is needed/],
    [["run", file, "--element", "3/2"], /--element is "3\/2"/],
    [["run", file, "--set", "ladder.tokens=[]"], /tokens/],
    [["run", file, "--set", "ladder.token=[1]"], /did you mean "tokens"/],
  ])("says what is wrong: %j", (args, message) => {
    const run = tilth(...args);
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(message);
  });
});

describe("the ladder of docs/scaling.md", () => {
  it.each(["chinchilla", "kaplan"])(
    "lets the %s form forecast its largest size within 3 % from the smaller ones",
    (form) => {
      const told = tilth("fit", "docs/scaling/ladder.csv", "--hold-out", "--form", form, "--bootstrap", "40", "--json");
      const { held, points, range } = JSON.parse(told.stdout);
      expect(points).toBe(11);
      expect(held).toHaveLength(1);
      expect(held[0].parameters).toBeGreaterThan(2 * range.parameters[1]);
      expect(Math.abs(held[0].error)).toBeLessThan(0.03);
      expect(held[0].interval[0] <= held[0].loss && held[0].loss <= held[0].interval[1]).toBe(true);
    },
  );
});
