import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const cli = join(process.cwd(), "dist", "cli.js");
const tilth = (...parameters: string[]) => spawnSync(process.execPath, [cli, ...parameters], { encoding: "utf8" });
const has = (program: string) => spawnSync(program, ["--version"]).status === 0;

/** What bash offers at the end of a line. */
function offered(line: string): string[] {
  const { stdout: script, status } = tilth("completion", "bash");
  expect(status).toBe(0);
  const words = line.split(" ").map((word) => `'${word}'`);
  const program = `${script}\nCOMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; _tilth; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", program], { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((word) => word !== "");
}

describe.skipIf(!has("bash"))("completion in bash", () => {
  it.each([
    ["tilth qui", ["quickstart"]],
    ["tilth data cov", ["coverage"]],
    ["tilth adapt dp", ["dpo"]],
    ["tilth adapt classify ck --from", ["--from-scratch"]],
    ["tilth eval memorisation --pre", ["--prefix-tokens"]],
    ["tilth eval --corp", ["--corpus"]],
    ["tilth serve --he", ["--help"]],
    ["tilth inspect package-l", ["package-lock.json"]],
    ["tilth embed checkpoint --out package-l", ["package-lock.json"]],
  ])("of %s", (line, expected) => {
    expect(offered(line)).toEqual(expected);
  });

  it("offers every command that help names", () => {
    const named = [...tilth("--help").stdout.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(15);
    expect(offered("tilth ")).toEqual(expect.arrayContaining(named));
  });
});

it.skipIf(!has("zsh"))("is a script that zsh reads", () => {
  const { stdout } = tilth("completion", "zsh");
  expect(spawnSync("zsh", ["-n"], { input: stdout, encoding: "utf8" }).stderr).toBe("");
});

it.skipIf(!has("fish"))("offers in fish what it offers in bash", () => {
  const { stdout: script } = tilth("completion", "fish");
  const words = (line: string) => {
    const program = `${script}\ncomplete -C "${line}"`;
    const { stdout, stderr } = spawnSync("fish", ["-c", program], { encoding: "utf8" });
    expect(stderr).toBe("");
    return stdout.split("\n").map((one) => one.split("\t")[0]);
  };
  expect(words("tilth adapt cl")).toContain("classify");
  expect(words("tilth eval memo")).toContain("memorisation");
  expect(words("tilth eval memorisation --pre")).toContain("--prefix-tokens");
});

it("asks which shell", () => {
  const { status, stderr } = tilth("completion", "tcsh");
  expect(status).toBe(2);
  expect(stderr).toContain("bash, zsh, fish");
});
