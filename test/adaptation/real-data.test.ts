import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Backend } from "../../src/engine/index.ts";
import { adaptClassifyJob } from "../../src/jobs/adapt-classify.ts";
import { adaptPreferencesJob } from "../../src/jobs/adapt-preferences.ts";
import { device, listening, quick, workplace } from "./support.ts";

const fixtures = "test/adaptation/fixtures";
let place: { folder: string; checkpoint: string; backend: Backend };
beforeAll(async () => {
  place = await workplace();
});
afterAll(() => {
  place.backend.dispose();
  rmSync(place.folder, { recursive: true });
});

it("bank customers' questions are told apart by their intent, also by adapters", async () => {
  const common = { checkpoint: place.checkpoint, device, merge: false, what: "sequence", fromScratch: false } as const;
  const data = {
    ...{ train: `${fixtures}/banking77-train.csv`, test: `${fixtures}/banking77-test.csv`, validationShare: 0.2 },
    fields: { text: "text", label: "category" },
    licence: "CC-BY-4.0",
  };
  for (const lora of [undefined, { rank: 8 }]) {
    const output = join(place.folder, lora === undefined ? "full" : "lora");
    const { report } = await adaptClassifyJob.run(
      { ...common, ...data, output, settings: quick({ lora }) },
      listening(),
    );
    // Of four classes; the model has random weights to begin with.
    expect(report.test!.accuracy.interval[0]).toBeGreaterThan(0.4);
    expect(report.data[0].licence).toBe("CC-BY-4.0");
  }
});

it("pairs of hh-rlhf are read, and the chosen answer becomes likelier than the rejected one", async () => {
  const { report } = await adaptPreferencesJob.run(
    {
      ...{ checkpoint: place.checkpoint, output: join(place.folder, "aligned"), device, merge: false },
      ...{ train: `${fixtures}/preferences.jsonl`, sequenceLength: 128, validationShare: 0.25, licence: "MIT" },
      ...{ preference: { loss: "sigmoid", beta: 0.1 }, chat: { answerTokens: 8 } },
      settings: quick({ steps: 12, learningRate: 1e-3, patience: null }),
    },
    listening(),
  );
  expect(report.curve.at(-1)!.trainLoss).toBeLessThan(0.6 * report.curve[0].trainLoss);
  expect(report.curve[0].trainLoss).toBeCloseTo(Math.LN2, 5);
});
