/** Answers that are kept: asked once, asked again where anything differs or the file is damaged. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { type Respondent, withAnswerCache } from "../../src/evaluation/index.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-answers-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const choices = [{ context: "a stone", continuation: " falls", text: "falls" }];
const scores = [{ logLikelihood: -1 / 3, tokens: 2 }];
let folder: string;
let asked: number;
let damaged: string[];

beforeEach(() => {
  folder = mkdtempSync(join(root, "cache-"));
  asked = 0;
  damaged = [];
});

function cached(identity: unknown = "checkpoint"): Respondent {
  const respondent: Respondent = {
    async likelihoods() {
      asked += 1;
      return scores;
    },
    async completions(contexts) {
      asked += 1;
      return contexts.map((one) => `${one}!`);
    },
  };
  return withAnswerCache(respondent, { folder, identity, onDamage: (file) => damaged.push(file) });
}

describe("kept answers", () => {
  it("are taken from disk with the same bits, by another process too", async () => {
    const first = await cached().likelihoods(choices, { greedy: false });
    expect(await cached().likelihoods(choices, { greedy: false })).toEqual(first);
    expect(asked).toBe(1);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it.each([
    ["checkpoint", () => cached("another").likelihoods(choices, { greedy: false })],
    ["setting", () => cached().likelihoods(choices, { greedy: true })],
    ["question", () => cached().likelihoods([{ ...choices[0], context: "a stone " }], { greedy: false })],
  ])("do not answer for another %s", async (_what, ask) => {
    await cached().likelihoods(choices, { greedy: false });
    await ask();
    expect(asked).toBe(2);
  });

  it("keep what was written, by its settings", async () => {
    const ask = (maximumTokens: number) => cached().completions(["a", "b"], { until: ["."], maximumTokens });
    expect(await ask(3)).toEqual(["a!", "b!"]);
    expect(await ask(3)).toEqual(["a!", "b!"]);
    await ask(4);
    expect(asked).toBe(2);
  });

  it.each([
    ["cut off", (text: string) => text.slice(0, text.length >> 1)],
    ["with another number in it", (text: string) => text.replace("-0.333", "-0.332")],
    ["of other JSON", () => '{"answers": 3}'],
  ])("are computed and written again where a file is damaged: %s", async (_how, damage) => {
    await cached().likelihoods(choices, { greedy: false });
    const file = join(folder, readdirSync(folder)[0]);
    const whole = readFileSync(file, "utf8");
    writeFileSync(file, damage(whole));
    expect(await cached().likelihoods(choices, { greedy: false })).toEqual(scores);
    expect([asked, damaged]).toEqual([2, [file]]);
    expect(readFileSync(file, "utf8")).toBe(whole);
  });
});
