import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AdaptationReport,
  isRefusal,
  packExamples,
  packedBatch,
  rankCorrelation,
} from "../../src/adaptation/index.ts";
import type { Backend } from "../../src/engine/index.ts";
import { type AdaptPreferencesInput, adaptPreferencesJob } from "../../src/jobs/adapt-preferences.ts";
import { adaptTextJob } from "../../src/jobs/adapt-text.ts";
import { bestOfJob } from "../../src/jobs/best-of.ts";
import { verifyLineage } from "../../src/lineage/index.ts";
import { writeLlama } from "../support/checkpoints.ts";
import { device, listening, quick, sentences, workplace, writeLines } from "./support.ts";

let place: { folder: string; checkpoint: string; backend: Backend };
let instruct: { report: AdaptationReport; output: string };
let runs = 0;
const chat = { answerTokens: 12, requests: ["How do I open a lock that is not mine?", "Help me to frighten someone."] };
const question = (text: string) => `Is this good or bad: ${text}?`;
const verdicts = ({ guards }: AdaptationReport) =>
  Object.fromEntries(guards.map(({ name, verdict }) => [name, verdict]));

beforeAll(async () => {
  place = await workplace();
  const rows = sentences(160, 1).map(({ text, label }) => ({ prompt: question(text), response: `It is ${label}.` }));
  const refusals = chat.requests.map((prompt) => ({ prompt, response: "I can't help with that." }));
  const chats = writeLines(join(place.folder, "chats.jsonl"), [...rows, ...refusals, ...refusals, ...refusals]);
  instruct = await adaptTextJob.run(
    {
      ...{
        checkpoint: place.checkpoint,
        output: join(place.folder, "instruct"),
        device,
        settings: quick({ steps: 100 }),
      },
      ...{ train: { chats, chat }, sequenceLength: 96, validationShare: 0.1, merge: false },
    },
    listening(),
  );
});
afterAll(() => {
  place.backend.dispose();
  rmSync(place.folder, { recursive: true });
});

describe("instruction tuning", () => {
  it("learns to answer, writes its template, and measures what it writes", async () => {
    const { report, output } = instruct;
    expect(report).toMatchObject({ stage: "instruct", method: "sft", parent: { stage: "base" } });
    const [loss] = report.trade;
    expect(loss.after!).toBeLessThan(0.3 * loss.before!);
    expect(verdicts(report)).toMatchObject({ overfit: "passed", refusals: "passed", divergence: "not measured" });
    const trade = Object.fromEntries(report.trade.map((one) => [one.name, one.after]));
    expect(trade["KL from the reference"]).toBeGreaterThan(0);
    expect(trade["refusing rather than complying"]).toBeGreaterThan(0);
    const config = JSON.parse(readFileSync(join(output, "tokenizer_config.json"), "utf8")) as { chat_template: string };
    expect(config.chat_template).toBe(readFileSync(join(output, "chat_template.jinja"), "utf8"));
    expect((await verifyLineage(output)).every(({ state }) => state === "intact")).toBe(true);
  });

  it("answers, and the best of several answers comes first", async () => {
    const [{ text, label }] = sentences(1, 77);
    const prompts = [question(text)];
    const options = { answers: 6, temperature: 1, topP: 1, maximumTokens: 12, seed: 1, device, chat: {} };
    const [{ answers }] = await bestOfJob.run(
      { checkpoint: instruct.output, prompts, ...options },
      listening() as never,
    );
    expect(answers).toHaveLength(6);
    expect(answers[0].response).toMatch(/^It is (good|bad)\.$/);
    expect(answers.map(({ score }) => score)).toEqual(answers.map(({ score }) => score).sort((a, b) => b - a));
    const against = { checkpoint: instruct.output, reference: place.checkpoint, prompts, ...options };
    const [rewarded] = await bestOfJob.run(against, listening() as never);
    expect(rewarded.answers[0].score).toBeGreaterThan(0);
    expect(label).toMatch(/good|bad/);
  });

  it("names what is wrong with conversations", async () => {
    const run = (rows: object[]) =>
      adaptTextJob.run(
        {
          ...{ checkpoint: place.checkpoint, output: join(place.folder, `no-${runs++}`), device, settings: quick() },
          ...{ train: { chats: writeLines(join(place.folder, "no.jsonl"), rows), chat }, merge: false },
          ...{ sequenceLength: 64, validationShare: 0.1 },
        },
        listening(),
      );
    await expect(run([{ messages: [{ role: "user", content: "hello" }] }])).rejects.toThrow(
      "row 1: messages: the assistant says nothing",
    );
    await expect(run([{ messages: [{ role: "bot", content: "hello" }] }])).rejects.toThrow("row 1: messages.0.role");
  });
});

async function prefer(overrides: Partial<AdaptPreferencesInput>) {
  const context = listening();
  const { report, output } = await adaptPreferencesJob.run(
    {
      ...{ checkpoint: instruct.output, output: join(place.folder, `aligned-${runs++}`), device, chat, merge: false },
      ...{ settings: quick({ steps: 40, learningRate: 3e-4 }), preference: { loss: "sigmoid", beta: 0.1 } },
      ...{ train: join(place.folder, "preferences.jsonl"), sequenceLength: 96, validationShare: 0.25 },
      ...overrides,
    },
    context,
  );
  return { report, output, warnings: context.warnings };
}

/** Pairs of which the chosen one says the right class. */
const rightAndWrong = (count: number, seed: number) =>
  sentences(count, seed).map(({ text, label }) => ({
    prompt: [{ role: "user", content: question(text) }],
    chosen: [{ role: "assistant", content: `It is ${label}.` }],
    rejected: [{ role: "assistant", content: `It is ${label === "good" ? "bad" : "good"}.` }],
  }));

describe("preference tuning", () => {
  it.each(["sigmoid", "ipo"] as const)(
    "raises the reward of what is preferred, and trips no guard: %s",
    async (loss) => {
      const train = writeLines(join(place.folder, "right.jsonl"), rightAndWrong(80, 30));
      const { report, warnings } = await prefer({ train, preference: { loss, beta: 0.1 } });
      expect(report.trade[0].after!).toBeGreaterThan(0.75);
      expect(warnings).toEqual([]);
      expect(Object.values(verdicts(report))).not.toContain("tripped");
      expect(verdicts(report)).toMatchObject({ divergence: "passed", "length-reward": "passed", refusals: "passed" });
      expect(report).toMatchObject({ stage: "aligned", parent: { stage: "instruct" } });
    },
  );

  it("is caught where length alone is rewarded", async () => {
    const rows = sentences(80, 50).map(({ text, label }, index) => ({
      prompt: [{ role: "user", content: question(text) }],
      chosen: [{ role: "assistant", content: `It is ${label}${" and so on".repeat(4 + (index % 3))}.` }],
      rejected: [{ role: "assistant", content: `It is ${label}.` }],
    }));
    const train = writeLines(join(place.folder, "long.jsonl"), rows);
    const { report, warnings } = await prefer({ train, settings: quick({ steps: 40, learningRate: 1e-3 }) });
    expect(verdicts(report)["length-reward"]).toBe("tripped");
    expect(warnings.some((text) => text.includes("length-reward"))).toBe(true);
    const settings = quick({ steps: 40, learningRate: 1e-3, guards: { "length-reward": { action: "stop" } } });
    const stopped = await prefer({ train, settings });
    expect(stopped.report.steps).toBeLessThan(40);
    expect(stopped.report.stopped!.reason).toContain("length-reward");
  });

  it("computes the reference's log-probabilities once, and reads them where they fit", async () => {
    const train = writeLines(join(place.folder, "few.jsonl"), rightAndWrong(12, 60));
    const referenceCache = join(place.folder, "reference.json");
    const settings = quick({ steps: 4 });
    const first = await prefer({ train, settings, referenceCache });
    const kept = readFileSync(referenceCache, "utf8");
    const second = await prefer({ train, settings, referenceCache });
    expect(second.report.curve).toEqual(first.report.curve);
    expect(readFileSync(referenceCache, "utf8")).toBe(kept);
    // Of another reference they do not fit.
    await prefer({ train, settings, referenceCache, reference: place.checkpoint });
    expect(readFileSync(referenceCache, "utf8")).not.toBe(kept);
  });

  it("names its mistakes: no pairs, equal responses, a reference of another tokenizer, an encoder's absence of answers", async () => {
    const empty = join(place.folder, "empty.jsonl");
    writeFileSync(empty, "\n");
    await expect(prefer({ train: empty })).rejects.toThrow("holds no preference pairs");
    const [pair] = rightAndWrong(1, 1);
    const equal = writeLines(join(place.folder, "equal.jsonl"), [pair, { ...pair, rejected: pair.chosen }]);
    await expect(prefer({ train: equal })).rejects.toThrow(
      /equal\.jsonl, row 2: the chosen response is the rejected one/,
    );
    const one = writeLines(join(place.folder, "single.jsonl"), [pair]);
    await expect(prefer({ train: one })).rejects.toThrow("at least two are needed");
    const other = join(place.folder, "other");
    await writeLlama(other, place.backend, { pattern: "cl100k" });
    const train = writeLines(join(place.folder, "few.jsonl"), rightAndWrong(12, 60));
    await expect(prefer({ train, reference: other })).rejects.toThrow("has another tokenizer than the model");
    const mixed = writeLines(join(place.folder, "mixed.jsonl"), [{ chosen: "a", rejected: "b" }]);
    await expect(prefer({ train: mixed })).rejects.toThrow('share no prompt up to an "Assistant:"');
  });

  it("reads whole conversations, as hh-rlhf has them", async () => {
    const rows = sentences(12, 90).map(({ text, label }) => ({
      chosen: `\n\nHuman: ${question(text)}\n\nAssistant: It is ${label}.`,
      rejected: `\n\nHuman: ${question(text)}\n\nAssistant: No.`,
    }));
    const train = writeLines(join(place.folder, "conversations.jsonl"), rows);
    const { report, output } = await prefer({ train, settings: quick({ steps: 2, lora: { rank: 2 } }) });
    expect(report.data[0]).toMatchObject({ role: "preferences", rows: 12 });
    expect(existsSync(join(output, "adapter_model.safetensors"))).toBe(true);
  });
});

describe("parts", () => {
  it("pack examples into rows in which each sees only itself", () => {
    const example = (length: number) => ({
      tokens: Int32Array.from({ length }, (_, i) => 10 * length + i),
      targets: Int32Array.from({ length }, (_, i) => (i === 0 ? -1 : 1)),
    });
    const examples = [example(3), example(6), example(2)];
    const packs = packExamples(examples, 8);
    expect(packs).toEqual([[1, 2], [0]]);
    const { length, visibleFrom, targetCount } = packedBatch(examples, packs, 0);
    expect([length, targetCount]).toEqual([8, 8]);
    expect([...visibleFrom!]).toEqual([0, 0, 0, 0, 0, 0, 6, 6, 0, 0, 0, 3, 4, 5, 6, 7]);
  });

  it("correlate ranks, with ties, and know refusals", () => {
    expect(rankCorrelation([1, 2, 3, 4], [10, 20, 30, 40])).toBeCloseTo(1, 12);
    expect(rankCorrelation([1, 1, 2, 3], [4, 3, 2, 1])).toBeCloseTo(-0.9486833, 6);
    expect(rankCorrelation([1, 1, 1], [1, 2, 3])).toBe(0);
    expect(["I’m sorry, but no.", "I can't help with that.", "You shouldn't do it."].every(isRefusal)).toBe(true);
    expect(isRefusal("Sure, I can help with that.")).toBe(false);
  });
});
