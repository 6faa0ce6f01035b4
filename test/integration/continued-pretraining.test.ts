import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadRun, type RunConfiguration } from "../../src/config/index.ts";
import { createBackend } from "../../src/engine/index.ts";
import { exportHuggingFace, openCheckpoint } from "../../src/export/index.ts";
import { type ForgettingReport, planContinuation } from "../../src/jobs/index.ts";
import { basePieces, readTokenizerJson } from "../../src/tokenizer/index.ts";
import { type StepRecord, verifyCheckpoint } from "../../src/training/index.ts";
import { writeLlama } from "../support/checkpoints.ts";
import { textFamilies, writeTextFamily } from "../support/families.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "tilth-continued-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tilth = (...words: string[]) =>
  spawnSync(process.execPath, [join(root, "dist", "cli.js"), ...words], { encoding: "utf8", cwd: folder });

/** As `tilth`, which must end well. */
function does(...words: string[]) {
  const done = tilth(...words);
  expect(done.status, done.stderr).toBe(0);
  return done;
}

const place = (...parts: string[]) => join(folder, ...parts);
const latest = (run: string) =>
  place(run, "checkpoints", readFileSync(place(run, "checkpoints", "latest"), "utf8").trim());

function configuration(name: string, text: string, more: object = {}, training: object = {}): string {
  const settings = {
    runFolder: name,
    device: { precision: "f32" },
    corpus: {
      sources: [{ reader: "folder", path: text }],
      settings: { licences: { accept: ["allow", "attribute", "review"] } },
    },
    tokenizer: { vocabularySize: 512 },
    training: {
      ...{ steps: 40, sequenceLength: 64, batchSequences: 8, microBatchSequences: 8, learningRate: 4e-3 },
      schedule: { warmupSteps: 4, decayShare: 0.4 },
      ...{ validateEvery: 10, validationSequences: 16, checkpointEvery: 10, keepCheckpoints: 5 },
      ...training,
    },
    ...more,
  };
  writeFileSync(place(`${name}.json`), JSON.stringify(settings));
  return `${name}.json`;
}

const stepsOf = (run: string) =>
  readFileSync(place(run, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as StepRecord)
    .filter(({ kind }) => kind === "step");
const curveOf = (run: string) => stepsOf(run).map(({ step, loss, gradientNorm }) => [step, loss, gradientNorm]);

describe("a model that is continued on other text", () => {
  beforeAll(() => {
    cpSync(join(root, "src", "training"), place("general"), { recursive: true });
    const model = { model: { architecture: "llama", layers: 2, width: 64, attentionHeads: 2 } };
    does("train", configuration("base", "general", model, { steps: 60 }));
    const domain = configuration("domain", join(root, "examples", "peps"));
    const ran = does("train", domain, "--continue-from", "base", "--replay", "base", "--peak-of-base", "0.5");
    expect(ran.stderr).toMatch(/warms up in 4 of 40 steps to 0.00200, 0.500 of the base's 0.004/);
    expect(ran.stderr).toContain(`Model, weights and tokenizer of ${latest("base")}`);
    expect(ran.stderr).not.toMatch(/no general text is replayed/);
  });

  it("replays exactly its share at every step, and says so", () => {
    let replayed = 0;
    for (const { step, replayedTokens, learningRate, tokens } of stepsOf("domain")) {
      expect(tokens).toBe(8 * 64);
      replayed += replayedTokens!;
      expect(replayed).toBe(Math.floor(step * 8 * 0.05 + 1e-9) * 64);
      if (step === 4) expect(learningRate).toBeCloseTo(0.002, 12);
    }
    const facts = JSON.parse(readFileSync(place("domain", "continuation.json"), "utf8"));
    expect(facts).toMatchObject({ learningRate: 0.002, baseLearningRate: 0.004, addedTokens: 0, tokens: 40 * 8 * 64 });
    expect(facts.replay).toMatchObject({ share: 0.05, tokens: replayed });
    expect(readFileSync(join(latest("domain"), "README.md"), "utf8")).toMatch(/tokens are general text/);
  });

  it("goes on from a checkpoint in the middle with the same bits", () => {
    cpSync(place("domain"), place("again"), { recursive: true });
    for (const name of readdirSync(place("again", "checkpoints"))) {
      if (/^step-/.test(name) && Number(name.slice(5)) > 20)
        rmSync(place("again", "checkpoints", name), { recursive: true });
    }
    does("train", "--resume", "again");
    expect(curveOf("again")).toEqual(curveOf("domain"));
    const weights = (run: string) => readFileSync(join(latest(run), "model.safetensors"));
    expect(weights("again").equals(weights("domain"))).toBe(true);
  });

  it("one command tells what was gained and lost, beside training from scratch, which it does once", async () => {
    const report = JSON.parse(
      does("eval", "forgetting", "domain", "--bytes", "60000", "--json").stdout,
    ) as ForgettingReport;
    const { domain, general, fromScratch, curve } = report;
    expect(domain.second.value).toBeLessThan(domain.first.value);
    expect(domain.difference.interval[1]).toBeLessThan(0);
    expect(general.corpus).toBe(place("base", "corpus"));
    expect(general.relative.value).toBeCloseTo(general.second.value / general.first.value - 1, 12);
    expect(fromScratch!.second.value).toBe(domain.second.value);
    expect(fromScratch).toMatchObject({ steps: 40, learningRate: 0.004 });
    expect(report.replayedTokens).toBe(report.continuation.replay!.tokens);
    const named = (run: string) => curve.filter((one) => one.run === run).map(({ step }) => step);
    expect(named("continued")).toEqual([0, 10, 20, 30, 40]);
    expect(named("from scratch")).toEqual([10, 20, 30, 40]);
    // On one curve, the continued run begins at the base and falls.
    expect(curve.find(({ step }) => step === 0)!.bitsPerByte).toBeGreaterThan(curve[4].bitsPerByte);

    await verifyCheckpoint(report.checkpoint);
    expect(readFileSync(join(report.checkpoint, "README.md"), "utf8")).toMatch(/## What continuing gained and lost/);
    expect(readFileSync(place("domain", "forgetting.svg"), "utf8")).toMatch(/^<svg/);
    const log = place("domain", "from-scratch", "log.jsonl");
    const [before, size] = [stepsOf("domain/from-scratch"), statSync(log).size];
    const text = does("eval", "forgetting", "domain", "--bytes", "20000").stdout;
    expect(text).toMatch(/domain +\d\.\d{4} +\d\.\d{4} +−0\.\d{4} \(95 %: −/);
    expect(text).toMatch(/continued − from scratch/);
    expect(text).toMatch(/ithin 2 % of the base/i);
    expect(stepsOf("domain/from-scratch")).toEqual(before);
    expect(statSync(log).size).toBe(size);
    await verifyCheckpoint(report.checkpoint);
    const card = readFileSync(join(report.checkpoint, "README.md"), "utf8");
    expect(card.match(/## What continuing gained and lost/g)).toHaveLength(1);
  });

  it("tilth tokenizer extend writes a tokenizer that begins as the base's", () => {
    const words = ["--corpus", "domain/corpus", "--add", "40", "--out", "extended.json"];
    expect(does("tokenizer", "extend", latest("base"), ...words).stderr).toMatch(/: 512 tokens and 40 new ones/);
    const [base, extended] = [join(latest("base"), "tokenizer.json"), place("extended.json")].map(readTokenizerJson);
    expect(basePieces(extended, base).size).toBe(40);
  });

  it("refuses what is unwise, unless the risk is accepted, and says what a setting lacks", async () => {
    const planned = async (...overrides: string[]) =>
      planContinuation((await loadRun(place("domain.json"), overrides)) as RunConfiguration);
    const refused = (pattern: RegExp, ...overrides: string[]) => expect(planned(...overrides)).rejects.toThrow(pattern);
    const from = `continueFrom=${latest("base")}`;
    const replay = "continuation.replay.from=";
    await refused(/warmupSteps is 0/, from, "training.schedule.warmupSteps=0");
    await refused(/is above the base's, 0.004/, from, "continuation.peakOfBase=3");
    const risky = await planned(from, "continuation.peakOfBase=3", "continuation.acceptRisk=true");
    expect(risky.configuration.training.learningRate).toBeCloseTo(0.012, 12);
    expect(risky.warnings.join()).toMatch(/above the base's/);
    await refused(/replay is set, but there is no model to continue/, `${replay}base`);
    await refused(/is no run, no corpus and no folder of token shards/, from, `${replay}general`);
    await refused(/context is 16, below the 64 tokens/, from, "continuation.context=16");
    await refused(/needs continuation.ropeScaling/, from, "continuation.context=256");
    await refused(/continuation.ropeScaling.kind/, from, "continuation.ropeScaling.kind=yearn");
    await refused(/make room for a longer context, which is not set/, from, "continuation.ropeScaling.kind=yarn");

    const other = ["--set", "continuation.extendTokenizer=20", "--replay", "base/shards"];
    const ran = tilth("train", "domain.json", "--run", "other", "--continue-from", latest("base"), ...other);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/encoded with another tokenizer than the run's/);
    expect(existsSync(place("other", "checkpoints"))).toBe(false);
  });
});

it("an open model of several bf16 files gets tokens and context: new rows are means, config.json names the rule", async () => {
  const backend = await createBackend("cpu");
  await writeLlama(place("made"), backend, { tiedEmbeddings: false });
  await writeTextFamily(place("gpt2"), backend, { name: "gpt2", configuration: textFamilies.gpt2.configuration });
  backend.dispose();
  const made = openCheckpoint(place("made"));
  await exportHuggingFace(made, place("open"), { type: "bf16", shardBytes: 60_000 });
  made.weights.close();
  expect(readdirSync(place("open")).filter((name) => name.endsWith(".safetensors")).length).toBeGreaterThan(2);

  const peps = join(root, "examples", "peps");
  const file = configuration("grown", peps, {}, { steps: 2, learningRate: 1e-9, schedule: { warmupSteps: 1 } });
  const [context] = [JSON.parse(readFileSync(place("open", "config.json"), "utf8")).max_position_embeddings as number];
  const ran = does(
    ...["train", file, "--continue-from", "open", "--set", "continuation.extendTokenizer=100"],
    ...["--set", `continuation.context=${4 * context}`, "--set", "continuation.ropeScaling.kind=yarn"],
  );
  expect(ran.stderr).toMatch(/the base's is not known/);
  expect(ran.stderr).toMatch(/no general text is replayed/);
  const after = latest("grown");
  const config = JSON.parse(readFileSync(join(after, "config.json"), "utf8"));
  expect(config).toMatchObject({
    max_position_embeddings: 4 * context,
    rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: context },
  });
  const [base, grown] = [place("open"), after].map((one) => readTokenizerJson(join(one, "tokenizer.json")));
  expect(grown.vocabularySize).toBe(base.vocabularySize + 100);
  const [one, two] = [openCheckpoint(place("open")), openCheckpoint(after)];
  const tables = two.weights.names.filter((name) => /embed_tokens|lm_head/.test(name));
  expect(tables).toHaveLength(2);
  for (const name of tables) {
    const [old, now] = [one.weights.floats(name).data, two.weights.floats(name).data];
    const width = config.hidden_size as number;
    expect(now.length).toBe(config.vocab_size * width);
    for (const [id, parts] of basePieces(grown, base)) {
      for (let column = 0; column < width; column++) {
        const mean = parts.reduce((sum, part) => sum + old[part * width + column], 0) / parts.length;
        expect(Math.abs(now[id * width + column] - mean), `${name} row ${id}`).toBeLessThan(1e-6);
      }
    }
    for (let i = 0; i < base.vocabularySize * width; i++) expect(Math.abs(now[i] - old[i])).toBeLessThan(1e-6);
  }
  one.weights.close();
  two.weights.close();

  const gpt2 = tilth("train", file, "--continue-from", "gpt2", "--run", "never", "--set", "continuation.context=4096");
  expect(gpt2.stderr).toMatch(
    /gpt2 does not scale rotary positions here: its context of \d+ tokens cannot be extended/,
  );
});
