import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { runPreset, runPresets, templateNames, templateOf } from "../config/index.ts";
import { noSuch, UsageError, writeFileAtomically } from "../foundation/index.ts";
import type { Command } from "./command.ts";
import { say } from "./terminal.ts";

const listed = Object.entries(templateNames).map(([name, describe]) => `${name}: ${describe}`);

/** `tilth init` */
export const init: Command = {
  summary: "write a commented tilth.config.ts",
  usage: "[folder] [options]",
  options: {
    template: { describe: listed.join("; "), placeholder: "name", initial: "text" },
    preset: {
      describe: `objective, model and training by name: ${Object.keys(runPresets).join(", ")}`,
      placeholder: "name",
    },
    corpus: { describe: "the folder to read, relative to the configuration", placeholder: "folder" },
    run: { describe: "the run's folder", placeholder: "folder", initial: "runs/first" },
  },
  examples: [
    "tilth init --corpus ~/notes",
    "tilth init --template packages --corpus node_modules",
    "tilth init --preset bert-base --corpus ~/notes",
    "tilth init --template images --corpus ~/pictures",
  ],
  async run(input) {
    const [folder = ".", ...more] = input.positionals;
    if (more.length > 0) throw new UsageError(`one folder is expected, got ${more.length + 1}`);
    const template = input.text("template") ?? "text";
    if (!Object.hasOwn(templateNames, template)) {
      throw new UsageError(noSuch("template", template, Object.keys(templateNames)), {
        remedy: `Templates: ${listed.join("; ")}`,
      });
    }
    const preset = input.text("preset");
    if (preset !== undefined) runPreset(preset);
    if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`);
    const file = join(resolve(folder), "tilth.config.ts");
    if (existsSync(file)) throw new UsageError(`${file} is already there; it is not overwritten`);
    const initial: Readonly<Record<string, string>> = { packages: "node_modules", images: "pictures" };
    const corpus = input.text("corpus") ?? initial[template] ?? "text";
    writeFileAtomically(file, templateOf({ template, corpus, runFolder: input.text("run") ?? "runs/first", preset }));
    say(`Wrote ${file}. Check it with: tilth train --dry-run. Then: tilth train`);
  },
};
