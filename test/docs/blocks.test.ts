import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocksOf } from "./markdown.ts";

const root = process.cwd();
const home = mkdtempSync(join(tmpdir(), "tilth-blocks-"));
const pepsFolder = join(root, "examples", "peps");

const inData = [
  "building",
  "report",
  "deduplication",
  "decontamination",
  "tokenizers",
  "mixture",
  "classifier",
  "takedown",
];
const inDocs = [...["scaling", "planning", "lineage", "adaptation", "diagnosis", "search", "evaluation", "export"]];

/** Pages whose commands follow from each other, in the order in which somebody would read them. */
const read = [
  "README.md",
  ...inData.map((name) => join("docs", "data", `${name}.md`)),
  ...inDocs.map((name) => join("docs", `${name}.md`)),
];

/** Lines that are not for this folder: files that are not here, pictures, minutes of work that other tests do. */
const elsewhere = new RegExp(
  [
    "^npm |warc:|--read jsonl:forum|<set|--images|photos|--image |clip ",
    "scale run (examples/ladder.yaml$|ladder.yaml)|scale merge|--flops 1e21|--parameters 1e9",
    "ARC-Easy|--chain|--cluster|--guard divergence|docs/scaling",
    "<(folder, |a CLIP|another)|--continue-from|--to open-clip|--document|> ~/.",
  ].join("|"),
);

/** What a page's placeholders stand for. */
const quickstart = "runs/quickstart/checkpoints/step-0000650";
const placeholders = {
  "--corpus <folder>": "--corpus runs/quickstart/corpus",
  // Only a checkpoint in its run tells which documents trained it.
  "influence checkpoint": `influence ${quickstart}`,
  "memorisation checkpoint": `memorisation ${quickstart}`,
  "<checkpoint>": quickstart,
  "<folder>": quickstart,
  "runs/mine": "runs/quickstart",
};

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
  cpSync(join(root, "examples"), join(home, "examples"), { recursive: true });
  cpSync(join(root, "docs", "scaling", "ladder.csv"), join(home, "ladder.csv"));
  cpSync(join(root, "examples", "plans", "legal.yaml"), join(home, "needs.yaml"));
  cpSync(join(root, "examples", "catalogue.yaml"), join(home, "prices.yaml"));
  for (const part of ["train", "test"])
    cpSync(join(root, "examples", "banking77", `${part}.csv`), join(home, `${part}.csv`));
  for (const [name, rows] of Object.entries(rowsOf)) writeFileSync(join(home, name), jsonLines(rows));
  cpSync(join(root, "test", "adaptation", "fixtures", "preferences.jsonl"), join(home, "preferences.jsonl"));
  writeFileSync(join(home, "more.txt"), "One text\nAnother text\n");
  writeFileSync(
    join(home, "answer.txt"),
    "This PEP describes a feature of the language and why it is there.\n".repeat(4),
  );
  writeFileSync(
    join(home, "quickstart.json"),
    JSON.stringify({
      runFolder: "runs/quickstart",
      corpus: { sources: [{ reader: "folder", path: "notes" }] },
      tokenizer: { vocabularySize: 600 },
      model: { layers: 1, width: 64, attentionHeads: 2, context: 512 },
      training: { steps: 650, sequenceLength: 64, batchSequences: 8 },
    }),
  );
  const prepared = tilth(
    `tilth train quickstart.json\ntilth export ${quickstart} --to gguf --out model.gguf\nln -s ${quickstart} checkpoint\nln -s ${quickstart} base\nln -s instruct assistant\n`,
  );
  expect(prepared.status, prepared.stderr).toBe(0);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const jsonLines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

const many = <Row>(count: number, row: (index: number) => Row) =>
  Array.from({ length: count }, (_, index) => row(index));

/** Files that pages name, with rows of the layout that they describe. */
const rowsOf: Readonly<Record<string, readonly object[]>> = {
  "labelled.jsonl": many(40, (index) => ({
    text: index % 2 === 0 ? `a calm page ${index}` : `A LOUD PAGE ${index}`,
    label: index % 2 === 0 ? "calm" : "loud",
  })),
  "adjunct_island.jsonl": many(6, (index) => ({
    sentence_good: `the cat sees ${index} dogs`,
    sentence_bad: `the cat see ${index} dogs`,
    UID: "agreement",
  })),
  "questions.jsonl": many(8, (index) => ({
    context: `What follows ${index}?`,
    choices: [` ${index + 1}`, " blue"],
    answer: 0,
  })),
  "handbook.jsonl": many(900, (index) => ({
    text: `Section ${index}. This handbook says how the work is done, step by step, and why.`,
  })),
  "answers.jsonl": many(30, (index) => ({ prompt: `What is ${index} and one?`, response: ` ${index + 1}` })),
  "chats.jsonl": many(30, (index) => ({
    messages: [
      { role: "user", content: `Say ${index}` },
      { role: "assistant", content: `${index}` },
    ],
  })),
  "wrong.jsonl": many(4, (index) => ({
    prompt: `This PEP number ${index} is`,
    wanted: " a document",
    unwanted: " a bird",
  })),
  "right.jsonl": many(4, (index) => ({
    prompt: `The author of PEP ${index} is`,
    wanted: " a person",
    unwanted: " a stone",
  })),
};

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
    // There are fewer labels here, and the file that is written last is there already.
    const more = line.includes("eval efficiency")
      ? " --labels 10,30,100"
      : line.includes("--to gguf")
        ? " --replace"
        : "";
    const filled = Object.entries(placeholders).reduce((text, [name, value]) => text.replaceAll(name, value), line);
    const typed = line.includes("--partition 1/4")
      ? [1, 2, 3, 4].map((part) => line.replace("1/4", `${part}/4`).replace(/#.*/, "")).join("\n")
      : filled.replace(/ +#.*/, "") + small + more;
    const { status, stderr } = tilth(typed);
    // Take-downs of documents that are not here say so: the lines' ids and addresses are examples.
    if (line.startsWith("tilth data takedown")) expect(stderr).toMatch(/^tilth: no document/m);
    else expect(status, stderr).toBe(0);
  });
});
