/** Tasks beside lm-evaluation-harness: the same likelihoods and answers for the same checkpoint and questions. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend, Engine } from "../../src/engine/index.ts";
import {
  itemsOf,
  type Respondent,
  readRows,
  respondentOf,
  runTask,
  type TaskOptions,
  type TaskResult,
  taskNamed,
} from "../../src/evaluation/index.ts";
import { extracted, isExactMatch } from "../../src/evaluation/tasks/exact-match.ts";
import { vocabularyOf } from "../../src/jobs/vocabulary.ts";
import { type LanguageModel, llama, llamaConfiguration } from "../../src/models/index.ts";
import {
  type Tokenizer,
  tokenizerConfigJson,
  toTokenizerJson,
  trainBytePairEncoding,
} from "../../src/tokenizer/index.ts";
import { writeModel } from "../../src/training/index.ts";

const fixtures = join(import.meta.dirname, "fixtures");
const questions = (name: string) => join(fixtures, "questions", `${name}.jsonl`);
const names = ["blimp", "arc", "hellaswag", "piqa", "boolq", "openbookqa", "winogrande", "lambada"];
const written = ["triviaqa", "gsm8k"];
/** Each without examples and with the first two questions of the file before each. */
const titles = [...names, ...written].flatMap((name) => [name, `${name}+2`]);
const python = process.env.TILTH_PYTHON;

interface ChosenAnswers {
  readonly logLikelihoods: readonly (readonly number[])[];
  readonly greedy: readonly (readonly boolean[])[];
  readonly accuracy: number;
  readonly accuracyNormalized: number | null;
}

interface WrittenAnswers {
  readonly completions: readonly string[];
  /** By filter. */
  readonly exactMatch: Readonly<Record<string, number>>;
}

interface Harness {
  readonly version: string;
  readonly tasks: Readonly<Record<string, ChosenAnswers | WrittenAnswers>>;
  /** By task and filter, whether each answer of exact-match.json is right. */
  readonly exactMatches: Readonly<Record<string, Readonly<Record<string, readonly boolean[]>>>>;
}

const folder = mkdtempSync(join(tmpdir(), "tilth-tasks-"));
const backend = await createBackend("reference");
let engine: Engine;
let model: LanguageModel;
let tokenizer: Tokenizer;
let respondent: Respondent;

/** A small Llama from a seed; its tokenizer comes from the questions alone, so that nothing else can change the fixture. */
beforeAll(async () => {
  async function* texts() {
    for (const name of names) yield readFileSync(questions(name), "utf8");
  }
  tokenizer = await trainBytePairEncoding(texts(), {
    vocabularySize: 400,
    specialTokens: ["<|endoftext|>"],
    pattern: "gpt2",
  });
  const configuration = llamaConfiguration.parse({
    vocabularySize: tokenizer.vocabularySize,
    width: 32,
    layers: 2,
    attentionHeads: 2,
    context: 128,
    initializerStandardDeviation: 0.15,
  });
  engine = new Engine(backend);
  model = llama.create(engine, configuration) as LanguageModel;
  model.arena.initialize(7);
  respondent = respondentOf(engine, model, tokenizer, vocabularyOf(tokenizer));
  await writeModel(join(folder, "checkpoint"), model, {
    "tokenizer.json": toTokenizerJson(tokenizer),
    "tokenizer_config.json": tokenizerConfigJson(tokenizer, configuration.context),
  });
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

async function run(name: string, options: Partial<TaskOptions> = {}): Promise<TaskResult> {
  const task = taskNamed(name);
  const items = itemsOf(task, await readRows(questions(name)), questions(name));
  return runTask(respondent, task, items, { shots: 0, seed: 1, ...options });
}

/** As `run`, of a title. Answers are as long as those that the harness was asked for. */
async function runTitle(title: string): Promise<TaskResult> {
  const [name, shots = "0"] = title.split("+");
  const task = taskNamed(name);
  const items = itemsOf(task, await readRows(questions(name)), questions(name));
  const shortened =
    task.kind === "generation"
      ? { ...task, generation: { ...task.generation, maximumTokens: 24, until: [...task.generation.until, "pp"] } }
      : task;
  const options = { shots: Number(shots), seed: 1, examples: items, exampleChoice: "first" } as const;
  return runTask(respondent, shortened, items, options);
}

function compare(title: string, ours: TaskResult, harness: Harness): void {
  const theirs = harness.tasks[title];
  if ("completions" in theirs) {
    expect(ours.results.map(({ completion }) => completion)).toEqual(theirs.completions);
    const { "flexible-extract": flexible, ...others } = theirs.exactMatch;
    expect(ours.metrics.exactMatch?.value).toBeCloseTo(Object.values(others)[0], 9);
    if (flexible !== undefined) expect(ours.metrics.exactMatchFlexible?.value).toBeCloseTo(flexible, 9);
    return;
  }
  expect(ours.results).toHaveLength(theirs.logLikelihoods.length);
  ours.results.forEach(({ logLikelihoods, right }, index) => {
    logLikelihoods.forEach((value, choice) => {
      const difference = Math.abs(value - theirs.logLikelihoods[index][choice]);
      expect(difference, `${title}, question ${index + 1}, choice ${choice + 1}`).toBeLessThan(1e-3);
    });
    if (title.startsWith("lambada")) expect(right.accuracy).toBe(Number(theirs.greedy[index][0]));
  });
  expect(ours.metrics.accuracy?.value).toBeCloseTo(theirs.accuracy, 9);
  if (theirs.accuracyNormalized !== null) {
    expect(ours.metrics.accuracyNormalized?.value).toBeCloseTo(theirs.accuracyNormalized, 9);
  }
}

describe("tasks say what lm-evaluation-harness says", () => {
  const file = join(fixtures, "harness.json");
  it.each(titles)("%s, as kept from the harness", async (title) => {
    compare(title, await runTitle(title), JSON.parse(readFileSync(file, "utf8")) as Harness);
  });

  it.each([
    ["triviaqa", "remove_whitespace", "exactMatch"],
    ["gsm8k", "strict-match", "exactMatch"],
    ["gsm8k", "flexible-extract", "exactMatchFlexible"],
  ] as const)("of written answers to %s, by %s", (name, filter, metric) => {
    const { exactMatches } = JSON.parse(readFileSync(file, "utf8")) as Harness;
    const cases = JSON.parse(readFileSync(join(fixtures, "questions", "exact-match.json"), "utf8"));
    const task = taskNamed(name);
    if (task.kind !== "generation") throw new Error(`${name} is not answered in writing`);
    const ours = (cases[name] as [string, string | string[]][]).map(([written, right]) => {
      const answer = extracted(written, task.generation.extractions[metric]!);
      return answer !== null && isExactMatch(answer, [right].flat(), task.generation);
    });
    expect(ours).toEqual(exactMatches[name][filter]);
    expect(new Set(ours).size).toBe(2);
  });

  it.skipIf(python === undefined)("and now (skipped unless TILTH_PYTHON names a Python with lm_eval)", async () => {
    const script = join(import.meta.dirname, "lm-evaluation-harness.py");
    const out = execFileSync(python!, [script, join(folder, "checkpoint"), join(fixtures, "questions")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    const harness = JSON.parse(out.trim().split("\n").at(-1)!) as Harness;
    if (process.env.TILTH_UPDATE_FIXTURES === "1") writeFileSync(file, `${JSON.stringify(harness)}\n`);
    for (const title of titles) compare(title, await runTitle(title), harness);
  });
});

describe("a task", () => {
  it("gives the same likelihoods however requests are batched", async () => {
    const task = taskNamed("arc");
    const rows = await readRows(questions("arc"));
    const together = await run("arc");
    for (const [index, row] of rows.entries()) {
      const items = itemsOf(task, [row], "one");
      const [alone] = (await runTask(respondent, task, items, { shots: 0, seed: 1 })).results;
      alone.logLikelihoods.forEach((value, choice) => {
        expect(value).toBeCloseTo(together.results[index].logLikelihoods[choice], 4);
      });
    }
  });

  it("puts seeded examples, never the question itself, before each question", async () => {
    const [first, again, other] = [
      await run("piqa", { shots: 2, seed: 3 }),
      await run("piqa", { shots: 2, seed: 3 }),
      await run("piqa", { shots: 2, seed: 4 }),
    ];
    expect(first.results).toEqual(again.results);
    expect(first.results).not.toEqual(other.results);
    expect(first.results).not.toEqual((await run("piqa")).results);
    await expect(run("piqa", { shots: 4 })).rejects.toThrow(/only 3 questions to take them from/);
  });

  it("keeps the end of a prompt that is longer than the model's context", async () => {
    const task = taskNamed("multiple-choice");
    const row = (context: string) => ({ context, choices: ["yes", "no"], answer: 0 });
    const long = "a stone falls and falls and ".repeat(60);
    const scores = async (context: string) => {
      const items = itemsOf(task, [row(context)], "one");
      return (await runTask(respondent, task, items, { shots: 0, seed: 1 })).results[0].logLikelihoods;
    };
    const [one, more] = [await scores(long), await scores(`something else stood here ${long}`)];
    one.forEach((value, choice) => void expect(value).toBeCloseTo(more[choice], 5));
  });

  it("judges also by what the question adds", async () => {
    const { metrics } = await run("openbookqa", { unconditional: true });
    expect(metrics.accuracyUnconditional?.value).toBeGreaterThanOrEqual(0);
  });

  it("gives groups and an interval around each accuracy", async () => {
    const { groups, metrics, chance } = await run("blimp");
    expect(Object.keys(groups)).toEqual(["adjunct_island", "anaphor_number_agreement", "determiner_noun_agreement_2"]);
    const { value, interval } = metrics.accuracy!;
    expect(interval[0]).toBeLessThan(value);
    expect(interval[1]).toBeGreaterThan(value);
    expect(chance).toBe(0.5);
  });
});

describe("tilth eval --task", () => {
  const tilth = (...args: string[]) =>
    spawnSync(process.execPath, ["dist/cli.js", "eval", ...args], { encoding: "utf8" });

  it("pairs two checkpoints on the same questions", () => {
    const checkpoint = join(folder, "checkpoint");
    const run = tilth(checkpoint, "--task", "blimp", "--data", questions("blimp"), "--against", checkpoint, "--json");
    expect(run.status, run.stderr).toBe(0);
    const result = JSON.parse(run.stdout);
    expect(result).toMatchObject({
      items: 24,
      licence: "CC-BY-4.0",
      comparison: { onlyFirst: 0, onlySecond: 0, pValue: 1 },
    });
  });

  it.each([
    ["another layout", "piqa", questions("blimp"), /row 1 is not in the layout of "piqa": goal/],
    ["an unknown task", "blmp", questions("blimp"), /no task "blmp".*\n.*Did you mean "blimp"/],
    ["a missing file", "blimp", "nowhere.jsonl", /there is no file nowhere.jsonl/],
  ])("says what is wrong: %s", (_name, task, data, message) => {
    const run = tilth(join(folder, "checkpoint"), "--task", task, "--data", data);
    expect(run.status).not.toBe(0);
    expect(run.stderr).toMatch(message);
  });

  it("names an empty file, a wrong label and a checkpoint without tokenizer", async () => {
    const empty = join(folder, "empty.jsonl");
    writeFileSync(empty, "");
    await expect(readRows(empty)).rejects.toThrow(/is empty/);
    const task = taskNamed("multiple-choice");
    expect(() => itemsOf(task, [{ context: "x", choices: ["a", "b"], answer: 2 }], "f")).toThrow(
      /row 1: the answer is choice 3, but there are 2 choices/,
    );
    const bare = join(folder, "bare");
    execFileSync("cp", ["-r", join(folder, "checkpoint"), bare]);
    rmSync(join(bare, "tokenizer.json"));
    const run = tilth(bare, "--task", "blimp", "--data", questions("blimp"));
    expect(run.status).not.toBe(0);
    expect(run.stderr).toMatch(/tokenizer.json/);
    expect(existsSync(bare)).toBe(true);
  });
});
