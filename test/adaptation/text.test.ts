import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AdaptationReport, runAdaptation } from "../../src/adaptation/index.ts";
import { type Backend, Engine, ParameterArena } from "../../src/engine/index.ts";
import { type AdaptTextInput, adaptTextJob } from "../../src/jobs/adapt-text.ts";
import { loadModel } from "../../src/jobs/checkpoint-reader.ts";
import { inspectModel } from "../../src/jobs/inspect.ts";
import { mergeAdapterJob } from "../../src/jobs/merge-adapter.ts";
import { device, listening, quick, sentences, workplace, writeLines } from "./support.ts";

let place: { folder: string; checkpoint: string; backend: Backend };
let runs = 0;

/** Documents of several sentences each; `say` makes another language of them. */
const documents = (count: number, seed: number, say = (text: string) => text) =>
  Array.from({ length: count }, (_, index) => ({
    text: sentences(6, seed + index)
      .map(({ text }) => say(text))
      .join(". "),
  }));
const backwards = (text: string) => [...text].reverse().join("");

async function adapt(
  overrides: Partial<AdaptTextInput>,
): Promise<{ report: AdaptationReport; output: string; warnings: readonly string[] }> {
  const context = listening();
  const { report, output } = await adaptTextJob.run(
    {
      ...{
        checkpoint: place.checkpoint,
        output: join(place.folder, `out-${runs++}`),
        device,
        settings: quick(),
        merge: false,
      },
      ...{ train: { texts: join(place.folder, "general.jsonl") }, sequenceLength: 64, validationShare: 0.2 },
      ...overrides,
    },
    context,
  );
  return { report, output, warnings: context.warnings };
}

/** A model that knows the first language. */
let base: string;
let general: string;
beforeAll(async () => {
  place = await workplace();
  writeLines(join(place.folder, "general.jsonl"), documents(80, 100));
  general = writeLines(join(place.folder, "general-held.jsonl"), documents(20, 900));
  base = (await adapt({ settings: quick({ steps: 120 }), general })).output;
});
afterAll(() => {
  place.backend.dispose();
  rmSync(place.folder, { recursive: true });
});

const narrowing = ({ guards }: AdaptationReport) => guards.find(({ name }) => name === "narrowing")!;

describe("narrowing", () => {
  it("trips where a model learns another language and forgets the first, and can stop that", async () => {
    const texts = writeLines(join(place.folder, "other.jsonl"), documents(80, 500, backwards));
    const { report, warnings } = await adapt({ checkpoint: base, train: { texts }, general });
    expect(narrowing(report).verdict).toBe("tripped");
    expect(warnings.some((text) => text.startsWith("the guard narrowing trips"))).toBe(true);
    const loss = report.trade.find(({ name }) => name === "general loss")!;
    expect(loss.after! - loss.before!).toBeGreaterThan(0.5);
    const settings = quick({ guards: { narrowing: { action: "stop", limit: 0.2 } } });
    const stopped = await adapt({ checkpoint: base, train: { texts }, general, settings });
    expect(stopped.report.steps).toBeLessThan(report.steps);
    expect(stopped.report.stopped!.reason).toContain("narrowing");
  });

  it("does not trip where what is new is like what was known; without general text it is not measured", async () => {
    const texts = writeLines(join(place.folder, "more.jsonl"), documents(60, 300));
    const settings = quick({ steps: 30, learningRate: 5e-4 });
    const healthy = await adapt({ checkpoint: base, train: { texts }, general, settings });
    expect(healthy.warnings).toEqual([]);
    expect(narrowing(healthy.report).verdict).toBe("passed");
    expect(healthy.report).toMatchObject({ stage: "continued", parent: { stage: "continued" } });
    const blind = await adapt({ checkpoint: base, train: { texts }, settings: quick({ steps: 4 }) });
    expect(narrowing(blind.report).verdict).toBe("not measured");
  });
});

it("a loss that is no number ends it with what to do", async () => {
  const engine = new Engine(place.backend);
  const specification = {
    name: "x",
    shape: [4],
    initialization: { kind: "constant", value: 0 },
    decay: false,
  } as const;
  const arena = new ParameterArena(place.backend, [specification]);
  const task = {
    examples: 8,
    gradients: () => Promise.resolve(Number.NaN),
    validate: () => Promise.resolve({ trainLoss: 1, validationLoss: 1 }),
  };
  const run = runAdaptation(engine, [arena], task, quick(), { emit() {}, shouldStop: () => false });
  await expect(run).rejects.toThrow("the loss of step 1 is NaN: nothing was written");
  const stopped = runAdaptation(engine, [arena], task, quick(), { emit() {}, shouldStop: () => true });
  await expect(stopped).rejects.toThrow("was stopped at step 0");
  arena.dispose();
});

describe("prompts and responses", () => {
  it("are learned by adapters, which merge into a model that loads", async () => {
    const pairs = writeLines(
      join(place.folder, "pairs.jsonl"),
      sentences(120, 8).map(({ text, label }) => ({ prompt: `${text} is`, response: ` ${label}` })),
    );
    const settings = quick({ steps: 80, lora: { rank: 8 } });
    const { report, output } = await adapt({ checkpoint: base, train: { pairs }, settings });
    const [validation] = report.trade;
    expect(validation.after!).toBeLessThan(0.4 * validation.before!);
    expect(report).toMatchObject({ stage: "fine-tuned", weights: "adapters" });
    const merged = join(place.folder, "merged");
    const merge = (checkpoint: string, to: string, undo: boolean) =>
      mergeAdapterJob.run({ checkpoint, adapter: output, output: to, undo, device }, listening() as never);
    await merge(base, merged, false);
    expect(existsSync(join(merged, "model.safetensors"))).toBe(true);
    // Taken out again, the weights are the base's to rounding; the base's stage is back, too.
    const again = join(place.folder, "unmerged");
    await merge(merged, again, true);
    const largest = async (one: string, other: string) => {
      const [a, b] = [one, other].map((folder) => loadModel(folder, place.backend).model);
      let difference = 0;
      for (const [name, { tensor }] of a.arena.parameters) {
        const [x, y] = [await place.backend.read(tensor), await place.backend.read(b.arena.get(name).tensor)];
        difference = Math.max(difference, ...x.map((value, index) => Math.abs(value - y[index])));
      }
      for (const model of [a, b]) model.dispose();
      return difference;
    };
    expect(await largest(merged, base)).toBeGreaterThan(1e-3);
    expect(await largest(again, base)).toBeLessThan(1e-6);
    expect((await inspectModel(again)).stage).toBe((await inspectModel(base)).stage);
    expect((await inspectModel(merged)).stage).toBe("fine-tuned");
    await expect(adapt({ checkpoint: output })).rejects.toThrow("is an adapter, not a model");
  });
});
