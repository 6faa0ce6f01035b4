/** The documentation's Markdown files and the code blocks in them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A block of code between fences. */
export interface Block {
  readonly file: string;
  /** Of its first line, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const root = process.cwd();

/** The pages that people write, relative to the clone. */
export function pages(): string[] {
  const listed = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !/^(reference|node_modules)[\\/]/.test(name))
    .map((name) => join("docs", name));
  return ["README.md", "CONTRIBUTING.md", join("examples", "README.md"), ...listed].sort();
}

/** All fenced blocks of a page. */
export function blocksOf(file: string): Block[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```/gm)].map(({ index, 1: language, 2: body }) => ({
    ...{ file, language, text: body },
    line: text.slice(0, index).split("\n").length + 1,
  }));
}

/** Words of a command line as a shell takes them: quotes hold words together, a comment ends the line. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [whole, double, single] of line.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|[^\s"']+/g)) {
    if (whole.startsWith("#")) break;
    words.push(double ?? single ?? whole);
  }
  return words;
}
