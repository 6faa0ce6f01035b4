import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { templateNames, templateOf } from "../config/index.ts";
import { nearest, UsageError, writeFileAtomically } from "../foundation/index.ts";
import type { Command } from "./command.ts";
import { say } from "./terminal.ts";

const listed = Object.entries(templateNames).map(([name, describe]) => `${name}: ${describe}`);

/** `tilth init` */
export const init: Command = {
  summary: "write a commented tilth.config.ts",
  usage: "[folder] [options]",
  options: {
    template: { describe: listed.join("; "), placeholder: "name", initial: "text" },
    corpus: { describe: "the folder to read, relative to the configuration", placeholder: "folder" },
    run: { describe: "the run's folder", placeholder: "folder", initial: "runs/first" },
  },
  examples: ["tilth init --corpus ~/notes", "tilth init --template packages --corpus node_modules"],
  async run(input) {
    const [folder = ".", ...more] = input.positionals;
    if (more.length > 0) throw new UsageError(`one folder is expected, got ${more.length + 1}`);
    const template = input.text("template") ?? "text";
    if (!Object.hasOwn(templateNames, template)) {
      const guess = nearest(template, Object.keys(templateNames));
      throw new UsageError(`there is no template "${template}"${guess ? `; did you mean "${guess}"?` : ""}`, {
        remedy: `Templates: ${listed.join("; ")}`,
      });
    }
    if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`);
    const file = join(resolve(folder), "tilth.config.ts");
    if (existsSync(file)) throw new UsageError(`${file} is already there; it is not overwritten`);
    const corpus = input.text("corpus") ?? (template === "packages" ? "node_modules" : "text");
    writeFileAtomically(file, templateOf({ template, corpus, runFolder: input.text("run") ?? "runs/first" }));
    say(`Wrote ${file}. Check it with: tilth train --dry-run. Then: tilth train`);
  },
};
