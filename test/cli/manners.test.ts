import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-manners-"));
mkdirSync(join(folder, "notes"));
for (const [index, words] of ["meadows in spring", "harbours at night", "trains in the snow"].entries())
  writeFileSync(
    join(folder, "notes", `${index}.md`),
    `This page is about ${words}, and about what one sees there. `.repeat(20),
  );
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tilth = (...parameters: string[]) =>
  spawnSync(process.execPath, [cli, ...parameters], { encoding: "utf8", cwd: folder });

/** A command on a terminal, by util-linux' script, with what is typed. */
const hasTerminal = spawnSync("script", ["--version"]).status === 0;
const typed = (command: string, keys: string) =>
  spawnSync("script", ["-qec", `${process.execPath} ${cli} ${command}`, "/dev/null"], {
    encoding: "utf8",
    cwd: folder,
    input: keys,
    env: { ...process.env, TERM: "xterm" },
  });

describe("what is said", () => {
  it("is nothing but results with --quiet, and where an error arose with --verbose", () => {
    const build = ["data", "build", "--folder", "notes", "--corpus", "corpus", "--accept", "review", "--json"];
    const quiet = tilth(...build, "--quiet");
    expect(quiet.stderr).toBe("");
    expect(JSON.parse(quiet.stdout)).toMatchObject({ documents: 3 });
    const failing = ["tokenizer", "inspect", "nothing-there"];
    expect(tilth(...failing, "--quiet").stderr).toMatch(/^tilth: .*nothing-there/);
    expect(tilth(...failing).stderr).not.toMatch(/ {4}at /);
    expect(tilth(...failing, "--verbose").stderr).toMatch(/ {4}at /);
    expect(tilth(...failing, "--verbose", "--quiet").status).toBe(2);
  });

  it("has no colours and no cursor movements in a pipe", () => {
    const { stderr, stdout } = tilth("data", "report", "--corpus", "corpus");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
    expect(stderr + stdout).not.toMatch(/\u001b/);
  });
});

it("leaves with 0 where all went well, 1 where something failed, 2 where the command was wrong", () => {
  expect(tilth("--version").status).toBe(0);
  expect(tilth("data", "why", "ffff", "--corpus", "corpus").status).toBe(1);
  expect(tilth("data", "bild").status).toBe(2);
  expect(tilth("data", "bild").stderr).toContain('Did you mean "build"?');
  expect(tilth("data", "build", "--fodler", "notes").stderr).toContain("Did you mean --folder?");
});

describe("what is there", () => {
  const train = ["tokenizer", "train", "--corpus", "corpus", "--vocabulary", "300"];

  it("is not replaced without a word", () => {
    expect(tilth(...train).status).toBe(0);
    const before = readFileSync(join(folder, "tokenizer.json"), "utf8");
    const { status, stderr } = tilth(...train);
    expect(status).toBe(2);
    expect(stderr).toMatch(/tokenizer.json holds a tokenizer: it is not replaced\n.*--yes/);
    writeFileSync(join(folder, "tokenizer.json"), "{}");
    expect(tilth(...train, "--yes").status).toBe(0);
    expect(readFileSync(join(folder, "tokenizer.json"), "utf8")).toBe(before);
  });

  it.skipIf(!hasTerminal)("is asked about on a terminal", () => {
    writeFileSync(join(folder, "tokenizer.json"), "{}");
    const refused = typed(train.join(" "), "no\n");
    expect(refused.stdout).toContain("tokenizer.json holds a tokenizer. Replace it? (no)");
    expect(refused.status).toBe(2);
    expect(readFileSync(join(folder, "tokenizer.json"), "utf8")).toBe("{}");
    expect(typed(train.join(" "), "yes\n").status).toBe(0);
    expect(readFileSync(join(folder, "tokenizer.json"), "utf8").length).toBeGreaterThan(1000);
  });
});

describe("tilth init", () => {
  it.skipIf(!hasTerminal)("asks three questions on a terminal, and writes what a dry run accepts", () => {
    mkdirSync(join(folder, "asked"));
    const { status, stdout } = typed("init asked", "text\nnotes\n1\n");
    expect(stdout).toContain("What shall it learn from?");
    expect(stdout).toContain("Which folder?");
    expect(status, stdout).toBe(0);
    const file = join("asked", "tilth.config.ts");
    expect(readFileSync(join(folder, file), "utf8")).toContain('path: "notes"');
    expect(tilth("train", file, "--dry-run").status).toBe(0);
  });

  it("asks nothing in a pipe", () => {
    mkdirSync(join(folder, "piped"));
    expect(tilth("init", "piped").status).toBe(0);
    expect(existsSync(join(folder, "piped", "tilth.config.ts"))).toBe(true);
    expect(tilth("init", "piped").stderr).toContain("holds a configuration: it is not replaced");
  });
});
