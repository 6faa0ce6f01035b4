import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdaptationReport } from "../../src/adaptation/index.ts";
import { guardNames } from "../../src/adaptation/index.ts";
import type { Backend } from "../../src/engine/index.ts";
import { sentences, workplace, writeLines } from "./support.ts";

let place: { folder: string; checkpoint: string; backend: Backend };
beforeAll(async () => {
  place = await workplace();
});
afterAll(() => {
  place.backend.dispose();
  rmSync(place.folder, { recursive: true });
});

function tilth(...args: string[]) {
  return spawnSync(process.execPath, ["dist/cli.js", "adapt", ...args], { encoding: "utf8" });
}

describe("tilth adapt", () => {
  it("says what it has, and names every guard", () => {
    const { stdout } = tilth("--help");
    for (const command of ["classify", "full", "lora", "sft", "dpo", "best-of", "merge"])
      expect(stdout).toContain(`  ${command}`);
    const help = tilth("classify", "--help").stdout;
    for (const name of guardNames) expect(help).toContain(name);
  });

  it("fine-tunes in one line, and prints the trade or one JSON object", () => {
    const train = writeLines(join(place.folder, "train.jsonl"), sentences(60, 1));
    const output = join(place.folder, "out");
    const options = ["--train", train, "--steps", "6", "--threads", "1", "--backend", "cpu"];
    const shown = tilth("classify", place.checkpoint, ...options, "--output", output);
    expect(shown.stderr).toContain("validation loss");
    expect(shown.stdout).toMatch(/before\s+after/);
    expect(shown.stdout).toMatch(/Guards\n {2}overfit/);
    const again = tilth("classify", place.checkpoint, ...options, "--lora", "--output", `${output}-2`, "--json");
    expect((JSON.parse(again.stdout) as AdaptationReport).weights).toBe("adapters");
    const refused = tilth("classify", place.checkpoint, ...options, "--output", output);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("exists already: it is not overwritten");
  });

  it("refuses what it does not know with exit code 2 and a way out", () => {
    const wrong = (...args: string[]) => {
      const { status, stderr } = tilth(...args);
      return `${status} ${stderr}`;
    };
    expect(wrong("classify", place.checkpoint)).toMatch(/^2 tilth: --train is needed/);
    const data = ["--train", "x.jsonl", "--output", join(place.folder, "no")];
    expect(wrong("classify", place.checkpoint, ...data, "--guard", "overfitt=stop")).toMatch(
      /^2 .*"overfitt"; did you mean "overfit"\?/s,
    );
    expect(wrong("classify", place.checkpoint, ...data, "--guard", "overfit=shout")).toMatch(
      /^2 .*expected name=warn/s,
    );
    expect(wrong("classify", place.checkpoint, ...data, "--merge")).toMatch(/^2 .*--merge needs --lora/s);
    expect(wrong("dpo", place.checkpoint, ...data, "--loss", "kto")).toMatch(
      /^2 .*--loss is "kto", expected sigmoid, ipo/s,
    );
    expect(wrong("classify", place.checkpoint, ...data)).toMatch(/^1 tilth: there is no file x\.jsonl/);
  });
});
