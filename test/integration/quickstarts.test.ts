/** The quickstarts of the two objectives beside GPT's, shortened: each ends, and has learned something of what was held out. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-quickstarts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function quickstart(...options: string[]) {
  const run = join(folder, options[0]);
  const ran = spawnSync(process.execPath, [cli, "quickstart", "--json", "--run", run, "--objective", ...options], {
    encoding: "utf8",
    cwd: folder,
  });
  return { ...ran, result: () => JSON.parse(ran.stdout.trim().split("\n").at(-1)!) as Record<string, never> };
}

it("contrastive: captions of new pictures are found, and their classes", () => {
  const { status, stderr, result } = quickstart("contrastive", "--minutes", "0.5");
  expect(status, stderr).toBe(0);
  const found = result();
  expect(found.heldOutPairs).toBeGreaterThan(150);
  expect(found.chance).toBeCloseTo(1 / found.heldOutPairs, 3);
  expect(found.imageToTextRecallAt1).toBeGreaterThan(2 * found.chance);
  expect(found.textToImageRecallAt1).toBeGreaterThan(found.chance);
  const [low] = found.zeroShotInterval as number[];
  expect(low).toBeGreaterThan(found.zeroShotChance);
  expect(existsSync(join(found.checkpoint, "preprocessor_config.json"))).toBe(true);
});

it("masked-token: hidden tokens are guessed better than by their frequencies", () => {
  const text = join(folder, "text");
  for (const one of ["src", "docs"]) cpSync(join(process.cwd(), one), join(text, one), { recursive: true });
  const options = ["--corpus", text, "--minutes", "0.1", "--vocabulary", "600"];
  const { status, stderr, result } = quickstart("masked-token", ...options);
  expect(status, stderr).toBe(0);
  const found = result();
  expect(found.maskedAccuracy).toBeGreaterThan(1.5 * found.unigramAccuracy);
  for (const name of ["probeAccuracy", "probeAccuracyRandomInit", "probeAccuracyBagOfWords"]) {
    expect(found[name], name).toBeGreaterThan(0.3);
    expect(found[name], name).toBeLessThanOrEqual(1);
  }
});

it("options of another objective are refused", () => {
  expect(quickstart("contrastive", "--corpus", folder).stderr).toContain("--corpus belongs to the objectives of text");
  expect(quickstart("masked-token", "--images", folder).stderr).toContain(
    "--images belongs to --objective contrastive",
  );
});
