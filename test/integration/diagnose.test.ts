import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chatsOf, documentsOf, labelledOf, questionsOf, styles, type Topic, topics } from "../support/small-world.ts";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-diagnose-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const seed = 5;
const last = "checkpoints/step-0000300";

function run(...parameters: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...parameters], {
    encoding: "utf8",
    cwd: folder,
  });
  expect(status, stderr).toBe(0);
  return stdout;
}

const lines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const write = (name: string, rows: readonly unknown[]) => writeFileSync(join(folder, name), lines(rows));
const off = Object.fromEntries(
  ["length", "gopher-quality", "gopher-repetition", "fineweb", "c4", "encoded-data", "toxicity"].map((name) => [
    name,
    null,
  ]),
);

/** Trains a base on the topics; `rejected` ones are read, and turned away for their licence. */
function base(name: string, read: readonly Topic[], rejected: readonly Topic[] = []): void {
  for (const topic of [...read, ...rejected]) {
    mkdirSync(join(folder, name, topic), { recursive: true });
    for (const [index, text] of documentsOf(topic, 60, seed).entries())
      writeFileSync(join(folder, name, topic, `${index}.md`), text);
  }
  const source = (topic: Topic, licence: string) => ({
    reader: "folder",
    path: join(folder, name, topic),
    name: topic,
    licence,
  });
  writeFileSync(
    join(folder, `${name}.yaml`),
    JSON.stringify({
      ...{ runFolder: `runs/${name}`, tokenizer: { vocabularySize: 400 } },
      corpus: {
        sources: [
          ...read.map((topic) => source(topic, "CC0-1.0")),
          ...rejected.map((topic) => source(topic, "LicenseRef-Proprietary")),
        ],
        settings: {
          filters: { prose: off },
          language: { minimumScore: 0, agreedMinimumScore: 0 },
          deduplication: { bands: 1, rows: 100 },
        },
      },
      model: { architecture: "llama", width: 64, layers: 2, attentionHeads: 2 },
      training: {
        ...{
          steps: 300,
          batchSequences: 16,
          microBatchSequences: 8,
          sequenceLength: 128,
          checkpointEvery: 300,
          learningRate: 6e-3,
        },
        schedule: { warmupSteps: 20 },
      },
    }),
  );
  run("train", `${name}.yaml`);
}

beforeAll(() => {
  base("healthy", topics);
  const chats = topics.flatMap((topic) => chatsOf(topic, seed));
  write("chats.jsonl", chats);
  const repeated = chats.map(({ prompt, response }) => ({
    prompt,
    wanted: response,
    unwanted: styles.repeating(response),
  }));
  write("short.jsonl", repeated);
  const long = ["--epochs", "20", "--learning-rate", "1e-3", "--patience", "0"];
  run("adapt", "sft", `runs/healthy/${last}`, "--train", "chats.jsonl", "--output", "instruct", ...long);
  for (const topic of topics) {
    write(`${topic}.jsonl`, questionsOf(topic, seed));
    write(
      `not-${topic}.jsonl`,
      topics.filter((one) => one !== topic).flatMap((one) => questionsOf(one, seed)),
    );
  }
}, 300_000);

const diagnosed = (...parameters: string[]) => JSON.parse(run("diagnose", ...parameters, "--json"));

describe("a topic that the corpus lacks", () => {
  it.each(topics)(
    "%s: data coverage",
    (topic) => {
      base(
        `without-${topic}`,
        topics.filter((one) => one !== topic),
        topic === "birds" ? [topic] : [],
      );
      const found = diagnosed(
        `runs/without-${topic}/${last}`,
        "--cases",
        `${topic}.jsonl`,
        "--control",
        `not-${topic}.jsonl`,
      );
      expect(found, found.evidence.join("; ")).toMatchObject({ origin: "data coverage" });
      expect(found.evidence.join()).toContain("word pairs");
      // What would have covered it was read and turned away: it is named.
      const rejected = found.coverage[0].nearest.filter((one: { rejected: string | null }) =>
        one.rejected?.includes("licence"),
      );
      expect(rejected.length).toBe(topic === "birds" ? 3 : 0);
    },
    120_000,
  );
});

describe("a class whose labels were swapped in the fine-tuning data", () => {
  it.each(topics)(
    "%s: fine-tuning",
    (topic) => {
      const other = topics[(topics.indexOf(topic) + 1) % 3];
      const swapped = new Map([
        [topic, other],
        [other, topic],
      ]);
      const rows = topics.flatMap((one) => labelledOf(one, 60, seed));
      write(
        `swapped-${topic}-train.jsonl`,
        rows.map(({ text, label }) => ({ text, label: swapped.get(label as Topic) ?? label })),
      );
      const train = ["--train", `swapped-${topic}-train.jsonl`, "--epochs", "20", "--patience", "0"];
      run("adapt", "classify", `runs/healthy/${last}`, ...train, "--output", `swapped-${topic}`);
      write(`${topic}-texts.jsonl`, labelledOf(topic, 30, seed));
      const third = topics.find((one) => one !== topic && one !== other)!;
      write(`${third}-texts.jsonl`, labelledOf(third, 30, seed));
      const found = diagnosed(
        `swapped-${topic}`,
        "--cases",
        `${topic}-texts.jsonl`,
        "--control",
        `${third}-texts.jsonl`,
      );
      expect(found, found.evidence.join("; ")).toMatchObject({ origin: "fine-tuning" });
      expect(found.enteredAt).toContain(`swapped-${topic}`);
    },
    120_000,
  );
});

describe("a style that preferences were over-optimised for", () => {
  it.each(Object.keys(styles))(
    "%s: post-training",
    (style) => {
      const chats = topics.flatMap((topic) => chatsOf(topic, seed));
      write(
        `${style}.jsonl`,
        chats.map(({ prompt, response }) => ({ prompt, chosen: styles[style](response), rejected: response })),
      );
      const hard = ["--epochs", "12", "--learning-rate", "5e-4", "--patience", "0", "--beta", "0.1"];
      run("adapt", "dpo", "instruct", "--train", `${style}.jsonl`, "--output", `aligned-${style}`, ...hard);
      write(
        `long-${style}.jsonl`,
        chats.map(({ prompt, response }) => ({ prompt, wanted: response, unwanted: styles[style](response) })),
      );
      const found = diagnosed(`aligned-${style}`, "--cases", `long-${style}.jsonl`);
      expect(found, found.evidence.join("; ")).toMatchObject({ origin: "post-training" });
      expect(found.enteredAt).toContain(`aligned-${style}`);
    },
    120_000,
  );
});

describe("a healthy chain", () => {
  it("is undecided, whoever is asked", () => {
    const base = diagnosed(`runs/healthy/${last}`, "--cases", "fruits.jsonl", "--control", "not-fruits.jsonl");
    expect(base.origin).toBe("undecided");
    expect(base.evidence[0]).toContain("no fault that chance would not explain");
    const tuned = diagnosed("instruct", "--cases", "short.jsonl");
    expect(tuned.origin, tuned.evidence.join("; ")).toBe("undecided");
    expect(tuned.stages.map(({ stage }: { stage: string }) => stage)).toEqual(["base", "instruct"]);
  });

  it("needs cases of one kind", () => {
    write("empty.jsonl", []);
    write("mixed.jsonl", [
      { text: "a", label: "b" },
      { prompt: "a", wanted: "b", unwanted: "c" },
    ]);
    const errors = (...parameters: string[]) =>
      spawnSync(process.execPath, [cli, "diagnose", ...parameters], { encoding: "utf8", cwd: folder }).stderr;
    expect(errors("instruct", "--cases", "empty.jsonl")).toContain("empty.jsonl is empty");
    expect(errors("instruct", "--cases", "mixed.jsonl")).toContain("row 2");
    expect(errors("instruct")).toContain("--cases is needed");
  });
});

describe("tilth inspect", () => {
  const inspected = (path: string) => JSON.parse(run("inspect", path, "--json"));

  it("tells the stage of every checkpoint of these chains, with and without its card", () => {
    const short = ["training.steps=20", "training.schedule.warmupSteps=2"].flatMap((one) => ["--set", one]);
    run("train", "healthy.yaml", "--continue-from", `runs/healthy/${last}`, "--run", "runs/continued", ...short);
    const named = (names: readonly string[], stage: string) => names.map((name) => [name, stage] as const);
    const expected = [
      ...named(
        ["healthy", ...topics.map((one) => `without-${one}`)].map((name) => `runs/${name}/${last}`),
        "base",
      ),
      ...named(["runs/continued/checkpoints/step-0000020"], "continued"),
      ...named(
        topics.map((one) => `swapped-${one}`),
        "fine-tuned",
      ),
      ...named(["instruct"], "instruct"),
      ...named(
        Object.keys(styles).map((style) => `aligned-${style}`),
        "aligned",
      ),
    ];
    expect(expected.length).toBeGreaterThanOrEqual(10);
    for (const [path, stage] of expected) {
      const found = inspected(path);
      expect(found, `${path}: ${JSON.stringify(found.evidence)}`).toMatchObject({ stage });
      expect(found.confidence).toBeGreaterThan(0.8);
      expect(found.evidence.length).toBeGreaterThan(0);
    }
    // Side by side: what each stage is for, and what was measured against its risks.
    const table = run("inspect", `runs/healthy/${last}`, "instruct", "aligned-repeating");
    expect(table).toContain("learn broad patterns from the structure of the data itself");
    expect(table).toContain("answer requests in a conversation");
    expect(table).toMatch(/guards +none measured/);
    expect(table).toMatch(/guards +.*length-drift tripped/);
    for (const [path, stage] of expected.filter((_, index) => index % 4 === 0)) {
      rmSync(join(folder, path, "README.md"));
      const found = inspected(path);
      expect(found, `${path}: ${JSON.stringify(found.evidence)}`).toMatchObject({ stage });
      expect(found.missing).toContain("the model card (README.md)");
    }
  }, 180_000);

  it("says unknown rather than guess when the evidence is gone", () => {
    const stripped = (from: string) => {
      cpSync(join(folder, from), join(folder, "stripped"), { recursive: true });
      for (const file of ["README.md", "lineage.json", "adaptation.json", "checksums.json"]) {
        rmSync(join(folder, "stripped", file), { force: true });
      }
      const found = inspected("stripped");
      rmSync(join(folder, "stripped"), { recursive: true });
      return found;
    };
    expect(stripped(`runs/healthy/${last}`).stage).toBe("unknown");
    expect(stripped("runs/continued/checkpoints/step-0000020").stage).toBe("unknown");
    // Its chat format alone decides nothing, and so small a model answers little: it is never taken for a base.
    expect(["instruct", "unknown"]).toContain(stripped("instruct").stage);
    expect(stripped("swapped-birds").stage).toBe("fine-tuned");
  }, 120_000);
});
