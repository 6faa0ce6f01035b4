/** `tilth scale` as it is typed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "tilth-scale-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tilth = (...args: string[]) =>
  spawnSync(process.execPath, ["dist/cli.js", "scale", ...args], { encoding: "utf8" });

const rows = [2e7, 5e7, 1e8, 3e8].flatMap((parameters) =>
  [5, 20, 60].map((ratio) => {
    const tokens = parameters * ratio;
    return { parameters, tokens, loss: 1.69 + 406.4 / parameters ** 0.34 + 410.7 / tokens ** 0.28 };
  }),
);
const file = join(folder, "ladder.csv");
writeFileSync(
  file,
  [
    "size,seen,flops,loss",
    ...rows.map(({ parameters, tokens, loss }) => [parameters, tokens, 6 * parameters * tokens, loss]),
  ].join("\n"),
);

describe("tilth scale", () => {
  it("fits a table by tokens or by FLOPs and forecasts from the law", () => {
    const law = join(folder, "law.json");
    const fit = tilth(
      "fit",
      file,
      "--parameters",
      "size",
      "--tokens",
      "seen",
      "--bootstrap",
      "30",
      "--out",
      law,
      "--json",
    );
    expect(fit.status, fit.stderr).toBe(0);
    const fitted = JSON.parse(fit.stdout);
    expect(fitted).toMatchObject({ form: "chinchilla", points: 12 });
    expect(fitted.E).toBeCloseTo(1.69, 3);
    expect(fitted.alpha).toBeCloseTo(0.34, 3);
    expect(fitted.optimalTokensPerParameter).toBeGreaterThan(1);
    const byFlops = tilth("fit", file, "--parameters", "size", "--flops", "flops", "--bootstrap", "30", "--json");
    expect(JSON.parse(byFlops.stdout).beta).toBeCloseTo(0.28, 3);
    const told = tilth("forecast", law, "--flops", "1e20", "--json");
    expect(told.status, told.stderr).toBe(0);
    const { parameters, tokens, loss } = JSON.parse(told.stdout);
    expect(6 * parameters * tokens).toBeCloseTo(1e20, -16);
    expect(loss).toBeCloseTo(1.69 + 406.4 / parameters ** 0.34 + 410.7 / tokens ** 0.28, 2);
  });

  it("holds out the largest size, says how far the forecast is off, and draws the law", () => {
    const plot = join(folder, "law.svg");
    const columns = ["--parameters", "size", "--tokens", "seen", "--bootstrap", "30"];
    const told = tilth("fit", file, ...columns, "--hold-out", "--plot", plot, "--json");
    expect(told.status, told.stderr).toBe(0);
    const { points, held } = JSON.parse(told.stdout);
    expect(points).toBe(9);
    expect(held.map(({ parameters }: { parameters: number }) => parameters)).toEqual([3e8, 3e8, 3e8]);
    for (const { error } of held) expect(Math.abs(error)).toBeLessThan(0.002);
    const drawn = readFileSync(plot, "utf8");
    expect(drawn.match(/<circle /g)).toHaveLength(12);
    expect(drawn).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    for (const size of ["20.0M", "50.0M", "100M", "300M"]) expect(drawn).toContain(`>${size}</text>`);
  });

  it.each([
    [
      "a column that is not there",
      ["fit", file, "--parameters", "sizes", "--tokens", "seen"],
      /no column "sizes".*\n.*Did you mean "size"/,
    ],
    ["neither tokens nor FLOPs", ["fit", file, "--parameters", "size"], /no column "tokens"/],
    ["a law that is none", ["forecast", file, "--flops", "1e20"], /is no fitted law/],
  ])("says what is wrong: %s", (_name, args, message) => {
    const run = tilth(...args);
    expect(run.status).not.toBe(0);
    expect(run.stderr).toMatch(message);
  });

  it("names the row of a cell that is no number", () => {
    const bad = join(folder, "bad.csv");
    writeFileSync(bad, "parameters,tokens,loss\n1e7,1e8,3.2\n1e7,lots,3.1\n");
    expect(tilth("fit", bad, "--tokens", "tokens").stderr).toMatch(
      /row 2: tokens is "lots", expected a positive number/,
    );
  });
});
