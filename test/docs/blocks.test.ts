import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocksOf } from "./markdown.ts";

const root = process.cwd();
const home = mkdtempSync(join(tmpdir(), "tilth-blocks-"));
const pepsFolder = join(root, "examples", "peps");

/** Pages whose commands follow from each other, in the order in which somebody would read them. */
const read = [
  "README.md",
  ...["building", "report", "deduplication", "decontamination", "tokenizers", "mixture", "classifier", "takedown"].map(
    (name) => join("docs", "data", `${name}.md`),
  ),
];

/** Lines that are not for this folder: other programs' jobs, formats of files that are not here, minutes of work that other tests do. */
const elsewhere = /^npm |npm run bench|warc:|<[a-z]+>|# pip |--read jsonl:forum/;

/** What the pages take for granted: their folders, with real text. */
beforeAll(() => {
  const docs = join(root, "docs", "data");
  for (const [folder, source] of [
    ["notes", pepsFolder],
    ["text", pepsFolder],
    ["new-text", docs],
  ]) {
    cpSync(source, join(home, folder), { recursive: true });
    // The folder's own licence decides whether it may train.
    cpSync(join(root, "LICENSE"), join(home, folder, "LICENSE"));
  }
  for (const [folder, source] of [
    ["peps", pepsFolder],
    ["good", pepsFolder],
    ["bad", docs],
  ]) {
    cutUp(source, join(home, folder));
  }
  mkdirSync(join(home, "node_modules"));
  for (const name of ["yaml", "csv-parse"])
    cpSync(join(root, "node_modules", name), join(home, "node_modules", name), { recursive: true });
  const question = {
    question: "What does a PEP describe and who writes it?",
    choices: ["a feature", "a bird"],
    answer: 0,
  };
  writeFileSync(join(home, "quiz.jsonl"), `${JSON.stringify(question)}\n`);
  writeFileSync(join(home, "mixture.yaml"), "groupBy: source\n");
  const old = tilth(
    "tilth data build --folder notes --corpus old-corpus --accept allow --accept attribute --accept review",
  );
  expect(old.status, old.stderr).toBe(0);
  cpSync(join(home, "old-corpus"), join(home, "corpus-monday"), { recursive: true });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Every text of a folder as several files: a classifier wants more than a dozen. */
function cutUp(source: string, folder: string): void {
  mkdirSync(folder);
  for (const name of readdirSync(source).filter((one) => /\.(rst|md)$/.test(one))) {
    const paragraphs = readFileSync(join(source, name), "utf8").split("\n\n");
    for (let first = 0; first < paragraphs.length; first += 8)
      writeFileSync(join(folder, `${first}-${name}`), paragraphs.slice(first, first + 8).join("\n\n"));
  }
}

/** Lines in a shell whose home is the folder and which knows the program by its name. */
function tilth(lines: string) {
  const program = `tilth() { ${JSON.stringify(process.execPath)} ${JSON.stringify(join(root, "dist", "cli.js"))} "$@"; }\nnpx() { shift; tilth "$@"; }\n`;
  return spawnSync("bash", ["-euo", "pipefail", "-c", program + lines], {
    ...{ cwd: home, encoding: "utf8", env: { ...process.env, HOME: home } },
  });
}

describe.each(read)("the commands of %s", (file) => {
  const lines = blocksOf(file)
    .filter(({ language }) => language === "" || language === "sh")
    .flatMap(({ text }) => text.split("\n"))
    .filter((line) => /^(npx )?tilth |^echo .*tilth /.test(line) && !elsewhere.test(line));

  it.each(lines)("%s", (line) => {
    // A model of a minute is enough here; the other parts of a build are those that the line's comment names.
    const small = line.includes("training.steps=500")
      ? " --set model.layers=1 --set model.width=64 --set model.attentionHeads=2"
      : "";
    const typed = line.includes("--partition 1/4")
      ? [1, 2, 3, 4].map((part) => line.replace("1/4", `${part}/4`).replace(/#.*/, "")).join("\n")
      : line + small;
    const { status, stderr } = tilth(typed);
    // Take-downs of documents that are not here say so: the lines' ids and addresses are examples.
    if (line.startsWith("tilth data takedown")) expect(stderr).toMatch(/^tilth: no document/m);
    else expect(status, stderr).toBe(0);
  });
});
