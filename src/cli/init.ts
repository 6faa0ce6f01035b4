import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { runPreset, runPresets, templateNames, templateOf } from "../config/index.ts";
import { noSuch, UsageError, writeFileAtomically } from "../foundation/index.ts";
import type { Command } from "./command.ts";
import { isInteractive, Questions, requireReplaceable } from "./questions.ts";
import { say } from "./terminal.ts";

const listed = Object.entries(templateNames).map(([name, describe]) => `${name}: ${describe}`);

/** `tilth init` */
export const init: Command = {
  summary: "write a commented tilth.config.ts; on a terminal it asks three questions where nothing is said",
  usage: "[folder] [options]",
  options: {
    template: { describe: `${listed.join("; ")} (default text)`, placeholder: "name" },
    preset: {
      describe: `objective, model and training by name: ${Object.keys(runPresets).join(", ")}`,
      placeholder: "name",
    },
    corpus: { describe: "the folder to read, relative to the configuration", placeholder: "folder" },
    replace: { describe: "replace a configuration that is there" },
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
    if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`);
    const file = join(resolve(folder), "tilth.config.ts");
    await requireReplaceable(input, file, "a configuration");
    const said = ["template", "preset", "corpus"].some((name) => input.text(name) !== undefined);
    const wanted: Wanted = isInteractive() && !said && !input.flag("yes") ? await askedFor() : {};
    const template = input.text("template") ?? wanted.template ?? "text";
    if (!Object.hasOwn(templateNames, template)) {
      throw new UsageError(noSuch("template", template, Object.keys(templateNames)), {
        remedy: `Templates: ${listed.join("; ")}`,
      });
    }
    const preset = input.text("preset") ?? wanted.preset;
    if (preset !== undefined) runPreset(preset);
    const corpus = input.text("corpus") ?? wanted.corpus ?? usualCorpus[template] ?? "text";
    writeFileAtomically(file, templateOf({ template, corpus, runFolder: input.text("run") ?? "runs/first", preset }));
    say(`Wrote ${file}. Check it with: tilth train --dry-run. Then: tilth train`);
  },
};

const usualCorpus: Readonly<Record<string, string>> = { packages: "node_modules", images: "pictures" };

/** What a configuration needs to be told. */
interface Wanted {
  readonly template?: string;
  readonly preset?: string;
  readonly corpus?: string;
}

/** Asks for the three things that a configuration needs. */
async function askedFor(): Promise<Wanted> {
  const questions = new Questions();
  try {
    const template = await questions.choose("What shall it learn from?", templateNames, "text");
    const corpus = await questions.ask("Which folder?", usualCorpus[template] ?? "text");
    const overImages = template === "images";
    const fitting = Object.entries(runPresets).filter(
      ([, { objective }]) => (objective.kind === "contrastive") === overImages,
    );
    const presets = {
      ...(overImages ? {} : { [own]: "a small Llama whose settings stand in the file, to be changed" }),
      ...Object.fromEntries(
        fitting.map(([name, { describe, objective }]) => [name, `${describe} (${objective.kind})`]),
      ),
    };
    const preset = await questions.choose("Which model?", presets, overImages ? "clip-tiny" : own);
    return { template, corpus, ...(preset === own ? {} : { preset }) };
  } finally {
    questions.close();
  }
}

const own = "own";
