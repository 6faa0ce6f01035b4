import { describe, expect, it } from "vitest";
import { type Command, type CommandGroup, readArguments } from "../../src/cli/command.ts";
import { program } from "../../src/cli/program.ts";
import { blocksOf, pages, wordsOf } from "./markdown.ts";

/** Every line that begins with the program, with the place where it stands; lines that end in a backslash go on. */
const lines = pages().flatMap((file) =>
  blocksOf(file).flatMap(({ line, text }) =>
    text
      .replace(/\\\n/g, " ")
      .split("\n")
      .map((command, index) => ({ command: command.trim(), place: `${file}:${line + index}` }))
      .filter(({ command }) =>
        /^([A-Z_]+=\S+ )*(echo .*\| )?(npx tilth|tilth|node dist\/cli\.js|npm (start|run|test|install))\b/.test(
          command,
        ),
      ),
  ),
);

/** Walks to the command that words name, as the program does, and reads its arguments. */
async function parse(words: readonly string[]): Promise<void> {
  let found: Command | CommandGroup = program;
  let rest = words;
  while ("commands" in found) {
    const [word] = rest;
    const group: CommandGroup = found;
    if (word === "--version" || word === "--help") return;
    if (Object.hasOwn(group.commands, word)) {
      found = await group.commands[word].load();
      rest = rest.slice(1);
    } else {
      expect(group.otherwise, `there is no command ${words.join(" ")}`).toBeDefined();
      found = await group.otherwise!.load();
    }
  }
  readArguments(found, rest);
}

describe("every command in the documentation", () => {
  it("is found in the pages", () => {
    expect(lines.length).toBeGreaterThan(60);
  });

  it.each(lines)("exists with its options: $place $command", async ({ command }) => {
    // What stands before a pipe is the program's, as is what stands after one.
    for (const part of command.split(/ (?:\||&&|>) /)) {
      const words = wordsOf(part).filter(
        (word, index, all) => !/^[A-Z_]+=/.test(word) || index > all.findIndex((one) => !/^[A-Z_]+=/.test(one)),
      );
      if (words[0] === "npx" && words[1] === "tilth") await parse(words.slice(2));
      else if (words[0] === "tilth") await parse(words.slice(1));
      else if (words[0] === "node" && words[1] === "dist/cli.js") await parse(words.slice(2));
      else if (words[0] === "npm" && words[1] === "start")
        await parse(["quickstart", ...words.slice(words[2] === "--" ? 3 : 2)]);
    }
  });
});

it("links of pages lead to pages and places that are there", async () => {
  const { existsSync } = await import("node:fs");
  const { dirname, join } = await import("node:path");
  const { readFileSync } = await import("node:fs");
  const broken = pages().flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
      .map(([, target]) => target)
      .filter((target) => !/^[a-z]+:/.test(target) && !target.includes("reference/"))
      .filter((target) => !existsSync(join(dirname(file), target.startsWith("/") ? `docs${target}` : target)))
      .map((target) => `${file}: ${target}`),
  );
  expect(broken).toEqual([]);
});
