/** Encoders on minimal pairs: pseudo-log-likelihoods beside those that transformers gives, one masked token at a time. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend, Engine } from "../../src/engine/index.ts";
import {
  itemsOf,
  type Masking,
  maskings,
  type Respondent,
  readRows,
  respondentOf,
  runTask,
  taskNamed,
} from "../../src/evaluation/index.ts";
import { vocabularyOf } from "../../src/jobs/vocabulary.ts";
import { bert, bertConfiguration, type LanguageModel } from "../../src/models/index.ts";
import { toTokenizerJson, trainWordPiece } from "../../src/tokenizer/index.ts";
import { writeModel } from "../../src/training/index.ts";

const fixtures = join(import.meta.dirname, "fixtures");
const questions = (name: string) => join(fixtures, "questions", `${name}.jsonl`);
const python = process.env.TILTH_PYTHON;
type Values = Readonly<Record<Masking, readonly (readonly number[])[]>>;

const folder = mkdtempSync(join(tmpdir(), "tilth-pseudo-"));
const backend = await createBackend("reference");
let respondent: (masking: Masking) => Respondent;

beforeAll(async () => {
  async function* texts() {
    yield readFileSync(questions("blimp"), "utf8");
  }
  const tokenizer = await trainWordPiece(texts(), { vocabularySize: 120 });
  const configuration = bertConfiguration.parse({
    ...{ vocabularySize: tokenizer.vocabularySize, width: 32, layers: 2, attentionHeads: 2, context: 64 },
    initializerStandardDeviation: 0.15,
  });
  const engine = new Engine(backend);
  const model = bert.create(engine, configuration) as LanguageModel;
  model.arena.initialize(7);
  respondent = (masking) => respondentOf(engine, model, tokenizer, vocabularyOf(tokenizer), { masking });
  await writeModel(join(folder, "checkpoint"), model, { "tokenizer.json": toTokenizerJson(tokenizer) });
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function pairs(masking: Masking) {
  const task = taskNamed("blimp");
  const items = itemsOf(task, await readRows(questions("blimp")), "blimp.jsonl");
  return runTask(respondent(masking), task, items, { shots: 0, seed: 1 });
}

async function expectEqual(theirs: Values): Promise<void> {
  for (const masking of maskings) {
    const { results, metrics } = await pairs(masking);
    results.forEach(({ logLikelihoods }, row) => {
      for (const [choice, value] of logLikelihoods.entries()) {
        expect(Math.abs(value - theirs[masking][row][choice]), `pair ${row + 1}, ${masking}`).toBeLessThan(1e-3);
      }
    });
    const right = theirs[masking].filter(([good, bad]) => good > bad).length / theirs[masking].length;
    expect(metrics.accuracy?.value).toBeCloseTo(right, 9);
  }
}

describe("pseudo-log-likelihoods are those of transformers", () => {
  const file = join(fixtures, "pseudo-likelihoods.json");
  it("as kept from it, for both maskings", async () => {
    const theirs = JSON.parse(readFileSync(file, "utf8")) as Values;
    await expectEqual(theirs);
    expect(theirs.word).not.toEqual(theirs.token);
  });

  it.skipIf(python === undefined)(
    "and now (skipped unless TILTH_PYTHON names a Python with transformers)",
    async () => {
      const script = join(import.meta.dirname, "pseudo-likelihood.py");
      const arguments_ = [script, join(folder, "checkpoint"), questions("blimp")];
      const out = execFileSync(python!, arguments_, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
      const theirs = JSON.parse(out.trim().split("\n").at(-1)!) as Values;
      if (process.env.TILTH_UPDATE_FIXTURES === "1") writeFileSync(file, `${JSON.stringify(theirs)}\n`);
      await expectEqual(theirs);
    },
  );
});

describe("an encoder", () => {
  it("answers questions with a context by the continuation's tokens alone", async () => {
    const task = taskNamed("multiple-choice");
    const rows = [{ context: "The girl", choices: ["laughs", "laugh at the boy"], answer: 0 }];
    const [{ logLikelihoods }] = (
      await runTask(respondent("token"), task, itemsOf(task, rows, "f"), { shots: 0, seed: 1 })
    ).results;
    const whole = await respondent("token").likelihoods([{ context: "", continuation: "The girl laughs", text: "" }], {
      greedy: false,
    });
    expect(logLikelihoods[0]).toBeGreaterThan(whole[0].logLikelihood);
  });

  it.each(["lambada", "triviaqa"])("says that it cannot write: %s", async (name) => {
    const task = taskNamed(name);
    const items = itemsOf(task, await readRows(questions(name)), name);
    await expect(runTask(respondent("token"), task, items, { shots: 0, seed: 1 })).rejects.toThrow(
      /a bert does not write text/,
    );
  });

  it("names a text that is too long for it", async () => {
    const long = { context: "", continuation: "the boy laughs ".repeat(60), text: "" };
    await expect(respondent("token").likelihoods([long], { greedy: false })).rejects.toThrow(
      /the model reads 62 beside/,
    );
  });
});
