/** The planner on its worked cases, where its recommendations flip, and what it says of damaged input. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { llama } from "../../src/models/index.ts";
import {
  llamaOf,
  packagedCatalogue,
  parseNeeds,
  planFor,
  readCatalogue,
  recommend,
  stepsOf,
} from "../../src/planner/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-plan-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const catalogue = readCatalogue(packagedCatalogue());
const needsOf = (name: string) =>
  parseNeeds(parse(readFileSync(join("examples", "plans", `${name}.yaml`), "utf8")), `${name}.yaml`);
const tilth = (...args: string[]) =>
  spawnSync(process.execPath, ["dist/cli.js", "plan", ...args], { encoding: "utf8" });

describe.each([
  { name: "legal", expected: "retrieval" },
  { name: "small-language", expected: "continue" },
  { name: "chat", expected: "hosted" },
])("the case $name", ({ name, expected }) => {
  const needs = needsOf(name);
  const plan = planFor(needs, catalogue);

  it(`recommends ${expected}, the cheapest of the good ways that meet all requirements`, () => {
    const chosen = plan.recommendation!;
    expect(chosen.name).toBe(expected);
    expect(chosen.fails).toEqual([]);
    for (const way of plan.ways) {
      const { people, training, use, total } = way.cost;
      expect(total).toBeCloseTo(people + training + use, 6);
      const beaten = way.fails.length > 0 || way.loss > chosen.loss || way.cost.total >= chosen.cost.total;
      expect(beaten, way.name).toBe(true);
    }
    for (const way of plan.ways.filter((one) => one !== chosen)) {
      expect(plan.reasons.some((reason) => reason.startsWith(`${way.name} (`))).toBe(true);
    }
  });

  it("flips exactly where its sensitivity says", () => {
    expect(plan.sensitivity.length).toBeGreaterThan(3);
    for (const { need, to, direction, recommendation } of plan.sensitivity) {
      expect(recommend({ ...needs, [need]: to }, catalogue), need).toBe(recommendation);
      if (typeof to !== "number") continue;
      const before = to * (direction === "above" ? 0.9999 : 1.0001);
      expect(recommend({ ...needs, [need]: before }, catalogue), `${need} at ${before}`).toBe(expected);
    }
  });

  it("is what docs/planning.md shows", () => {
    const told = tilth(join("examples", "plans", `${name}.yaml`));
    expect(told.status, told.stderr).toBe(0);
    const shown = told.stdout.split("\n").filter((line) => line.trim() !== "");
    const page = readFileSync("docs/planning.md", "utf8");
    for (const line of shown) expect(page).toContain(line);
  });
});

describe("the estimate of a step", () => {
  it("is of a model of about the way's size, and of one device", async () => {
    for (const parameters of [3e5, 2e7, 4.9e8, 7.2e9]) {
      expect(llama.dimensions(llamaOf(parameters)).parameters / parameters).toBeGreaterThan(0.8);
      expect(llama.dimensions(llamaOf(parameters)).parameters / parameters).toBeLessThan(1.25);
    }
    const needs = needsOf("small-language");
    const [continued, scratch] = await stepsOf(planFor(needs, catalogue), needs, catalogue);
    expect([continued.way, continued.fits]).toEqual(["continue", false]);
    expect([scratch.way, scratch.fits]).toEqual(["scratch", true]);
    // Weights, gradients and two moments in f32.
    expect(continued.memoryBytes).toBeGreaterThan(16 * 7e9);
  });
});

describe("tilth plan", () => {
  it("writes a page with table, flips and plots, and one JSON object", () => {
    const page = join(folder, "plan.html");
    const told = tilth("examples/plans/chat.yaml", "--json", "--html", page);
    const { recommendation, sensitivity, steps } = JSON.parse(told.stdout);
    expect(recommendation.name).toBe("hosted");
    expect(steps.map(({ way }: { way: string }) => way)).toEqual(["continue", "scratch"]);
    const html = readFileSync(page, "utf8");
    expect(html.match(/<svg /g)).toHaveLength(2);
    expect(html).toContain("Recommended: hosted");
    for (const { need } of sensitivity) expect(html).toContain(`<td>${need}</td>`);
    expect(html).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  });

  it("changes its mind with an overridden need", () => {
    const told = tilth("examples/plans/chat.yaml", "--json", "--set", "deployment=own-devices");
    expect(JSON.parse(told.stdout).recommendation.name).not.toBe("hosted");
  });

  it("names the price that a catalogue lacks", () => {
    const broken = join(folder, "prices.yaml");
    writeFileSync(broken, readFileSync(packagedCatalogue(), "utf8").replace("    pricePerHour: 1.8\n", ""));
    const told = tilth("examples/plans/chat.yaml", "--catalogue", broken);
    expect(told.status).toBe(2);
    expect(told.stderr).toMatch(/prices\.yaml.*devices\.1\.pricePerHour/);
  });

  it.each([
    [["examples/plans/chat.yaml", "--set", "device=H101"], /no device "H101"(.|\n)*It has: H100, A100-80GB, L4/],
    [["examples/plans/chat.yaml", "--set", "requestPerDay=3"], /did you mean "requestsPerDay"/],
    [["examples/plans/chat.yaml", "--set", "budget=-1"], /budget/],
    [["nowhere.yaml"], /there is no such file/],
    [["examples/plans/chat.yaml", "--catalogue", "nowhere.yaml"], /there is no such catalogue/],
  ])("says what is wrong: %j", (args, message) => {
    const told = tilth(...args);
    expect(told.status).toBe(2);
    expect(told.stderr).toMatch(message);
  });
});
