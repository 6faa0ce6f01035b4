import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Backend, createBackend } from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { adaptClassifyJob } from "../../src/jobs/adapt-classify.ts";
import { verifyLineage } from "../../src/lineage/index.ts";
import { trainedTokenizer } from "../support/checkpoints.ts";
import { writeImageTextFamily } from "../support/families.ts";
import { device, listening, quick } from "./support.ts";

let folder: string;
let backend: Backend;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tilth-adapt-images-"));
  backend = await createBackend("cpu", { threads: 1 });
  (await writeImageTextFamily(join(folder, "clip"), backend, "clip")).dispose();
  writeFileSync(join(folder, "clip", "tokenizer.json"), (await trainedTokenizer()).toJson());
  const random = new Random(1);
  for (const [part, count] of [
    ["train", 24],
    ["test", 10],
  ] as const) {
    // What is dark and what is bright, in any colour.
    for (const [name, base] of [
      ["dark", 20],
      ["bright", 160],
    ] as const) {
      mkdirSync(join(folder, part, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        const [r, g, b] = [base + random.below(80), base + random.below(80), base + random.below(80)];
        const image = sharp({ create: { width: 24, height: 24, channels: 3, background: { r, g, b } } });
        await image.png().toFile(join(folder, part, name, `${i}.png`));
      }
    }
  }
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true });
});

it.each([undefined, { rank: 4 }])("CLIP's vision tower learns classes of pictures: %o", async (lora) => {
  const output = join(folder, lora === undefined ? "full" : "lora");
  const { report } = await adaptClassifyJob.run(
    {
      ...{ checkpoint: join(folder, "clip"), output, device, merge: true, what: "image", fromScratch: false },
      ...{ train: join(folder, "train"), test: join(folder, "test"), validationShare: 0.25 },
      fields: { text: "text", label: "label" },
      settings: quick({ steps: 30, lora }),
    },
    listening(),
  );
  expect(report.test!.accuracy.value).toBeGreaterThan(0.9);
  expect(report.classes).toEqual(["bright", "dark"]);
  expect(report.data.map(({ role, rows }) => [role, rows])).toEqual([
    ["train", 36],
    ["test", 20],
  ]);
  expect((await verifyLineage(output)).every(({ state }) => state === "intact")).toBe(true);
  const config = JSON.parse(readFileSync(join(output, "config.json"), "utf8")) as Record<string, unknown>;
  expect(config).toMatchObject({ architectures: ["CLIPForImageClassification"], id2label: { 0: "bright", 1: "dark" } });
});

it("a set without classes is refused", async () => {
  const run = adaptClassifyJob.run(
    {
      ...{ checkpoint: join(folder, "clip"), output: join(folder, "none"), device, merge: false, what: "image" },
      ...{ train: "examples/emoji/images", validationShare: 0.25, fromScratch: false, settings: quick() },
      fields: { text: "text", label: "label" },
    },
    listening(),
  );
  await expect(run).rejects.toThrow();
});
