import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";

const timing = z.object({ median: z.number().positive(), min: z.number().positive() });
const lineSchema = z.looseObject({
  name: z.string(),
  config: z.string(),
  unit: z.string(),
  tilth: timing,
  peer: z.null(),
  ratio: z.null(),
  shareOfPeak: z.number().min(0).max(1.2).nullable(),
  peakRssBytes: z.number().positive(),
  peerPeakRssBytes: z.null(),
});

function bench(...parameters: string[]) {
  const program = join(process.cwd(), "dist", "bench.js");
  return spawnSync(process.execPath, [program, ...parameters], {
    encoding: "utf8",
    env: { ...process.env, TILTH_PYTHON: "/nowhere/python" },
  });
}

describe.skipIf(supportedLevels().length === 0)("benchmarks (skipped where no native level runs)", () => {
  it.each([
    ["train-step", "quickstart"],
    ["bert-step", "quickstart"],
    ["clip-step", "clip-tiny"],
    ["gemm", "quickstart"],
    ["attention", "quickstart"],
    ["cross-entropy", "quickstart"],
    ["optimizer", "quickstart"],
  ])("%s prints one JSON line, and says that its peer is missing", (name, preset) => {
    const { status, stdout, stderr } = bench(name, "--preset", preset, "--repetitions", "1", "--peer", "--json");
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("no peer for");
    expect(stderr).toContain("TILTH_PYTHON");
    const line = lineSchema.parse(JSON.parse(stdout));
    expect(line.name).toBe(name);
    if (name === "train-step") {
      expect(line).toMatchObject({ tokensPerSecond: expect.any(Number), typescriptShare: expect.any(Number) });
    }
  });

  it("elementwise gives every kernel's rate as a share of copying", () => {
    const { status, stdout, stderr } = bench("elementwise", "--preset", "quickstart", "--repetitions", "2", "--json");
    expect(status, stderr).toBe(0);
    const { rates } = z
      .object({ rates: z.array(z.object({ name: z.string(), shareOfCopy: z.number().positive() })) })
      .parse(JSON.parse(stdout));
    expect(rates[0]).toEqual(expect.objectContaining({ name: "copy", shareOfCopy: 1 }));
    expect(rates.length).toBeGreaterThan(8);
  });

  it("refuses unknown benchmarks, presets and precisions", () => {
    for (const [parameters, message] of [
      [["train-stpe"], 'did you mean "train-step"'],
      [["gemm", "--preset", "huge"], 'no preset "huge"'],
      [["gemm", "--precision", "fp8"], "expected auto, f32 or bf16"],
      [["gemm", "--repetitions", "0"], "expected a whole number from 1"],
    ] as const) {
      const { status, stderr } = bench(...parameters);
      expect(status).toBe(2);
      expect(stderr).toContain(message);
    }
  });
});
