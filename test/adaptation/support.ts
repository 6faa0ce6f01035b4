/** Small models and texts for tests of adaptation: a language of one rule, learned in a second. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AdaptationSettings, adaptationSettings } from "../../src/adaptation/index.ts";
import { type Backend, createBackend } from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";
import type { JobContext } from "../../src/jobs/job.ts";
import { writeLlama } from "../support/checkpoints.ts";

/** A folder for one file of tests, with a Llama of random weights in `model`. */
export async function workplace(): Promise<{ folder: string; checkpoint: string; backend: Backend }> {
  const folder = mkdtempSync(join(tmpdir(), "tilth-adapt-"));
  const backend = await createBackend("cpu", { threads: 1 });
  const checkpoint = join(folder, "model");
  await writeLlama(checkpoint, backend);
  return { folder, checkpoint, backend };
}

export function writeLines(file: string, rows: readonly object[]): string {
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return file;
}

export const device = { backend: "cpu", threads: 1 } as const;

/** Settings of seconds. */
export function quick(overrides: Readonly<Record<string, unknown>> = {}): AdaptationSettings {
  return adaptationSettings.parse({ steps: 60, batchExamples: 8, learningRate: 3e-3, validateEvery: 10, ...overrides });
}

/** A context that keeps what a job says. */
export function listening(): JobContext<{ kind: string; message?: string }> & { readonly warnings: string[] } {
  const warnings: string[] = [];
  return {
    warnings,
    emit(event) {
      if (event.kind === "warning") warnings.push(event.message!);
    },
    shouldStop: () => false,
  };
}

const [good, bad, neutral] = [
  ["kind", "warm", "bright", "calm"],
  ["cruel", "cold", "dull", "harsh"],
  ["the", "day", "was", "and", "so", "quite", "that", "here"],
];

/** Sentences whose class is that of the one word in them that means something; with `random`, classes by lot. */
export function sentences(
  count: number,
  seed: number,
  random = false,
): { text: string; label: string; group: string }[] {
  const draw = new Random(seed);
  return Array.from({ length: count }, (_, index) => {
    const isGood = draw.below(2) === 0;
    const words = Array.from({ length: 5 }, () => neutral[draw.below(neutral.length)]);
    const meaning = isGood ? good : bad;
    words[draw.below(5)] = meaning[draw.below(4)];
    const label = random ? draw.below(2) === 0 : isGood;
    return { text: words.join(" "), label: label ? "good" : "bad", group: index % 2 === 0 ? "even" : "odd" };
  });
}
