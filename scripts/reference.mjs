// Writes docs/reference/ out of the program itself: commands, configuration, registries. Needs dist/.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import * as tilth from "../dist/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "docs", "reference");
mkdirSync(out, { recursive: true });

/** The help of a command, as people see it. */
function helpOf(words) {
  const { stdout, status } = spawnSync(process.execPath, [join(root, "dist/cli.js"), ...words, "--help"], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`tilth ${words.join(" ")} --help failed`);
  return stdout.trimEnd();
}

/** The commands that a group's help lists. */
function commandsIn(help) {
  const [, list = ""] = /\nCommands:\n([\s\S]*?)\n\n/.exec(`${help}\n\n`) ?? [];
  return [...list.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name);
}

function commandPages(words, depth) {
  const help = helpOf(words);
  const title = `${"#".repeat(Math.min(depth, 3))} tilth ${words.join(" ")}`.trimEnd();
  const own = words.length === 0 ? [] : [`${title}\n\n\`\`\`text\n${help}\n\`\`\``];
  return [...own, ...commandsIn(help).flatMap((name) => commandPages([...words, name], depth + 1))];
}

const commands = [
  "# Commands",
  "What `--help` says of each. `tilth` is `npx tilth` where the package is installed, and `node dist/cli.js` in a clone.",
  "Every command also takes `--plugin <file>`, `--yes`, `--quiet`, `--verbose` and `--help`; see [the command line](../command-line.md).",
  ...commandPages([], 1),
];
writeFileSync(join(out, "commands.md"), `${commands.join("\n\n")}\n`);

/** What stands in a comment above a setting, by its name: the schemas' own words where they have no other. */
function commentsOf(folder) {
  const comments = new Map();
  for (const entry of readdirSync(join(root, folder), { recursive: true })) {
    if (!String(entry).endsWith(".ts")) continue;
    const text = readFileSync(join(root, folder, String(entry)), "utf8");
    for (const [, comment, name] of text.matchAll(
      /\/\*\* ([^\n]*?) \*\/\n\s*(\w+): (?:z|positive|settings|\w+Configuration)/g,
    ))
      comments.set(name, comment);
  }
  return comments;
}

const typeOf = (schema) => {
  if (schema.enum) return schema.enum.map((one) => `\`${one}\``).join(", ");
  if (schema.const !== undefined) return `\`${schema.const}\``;
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return [...new Set(several.map(typeOf))].join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  return schema.type ?? "any";
};

/** Rows of a settings table; nested objects follow their own row. */
function rowsOf(schema, comments, prefix = "", depth = 0) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, one]) => {
    const full = `${prefix}${name}`;
    const nested = [one, ...(one.anyOf ?? [])].find((candidate) => candidate.properties !== undefined);
    const isWhole = nested === one;
    const initial =
      one.default === undefined || isWhole
        ? required.has(name) && one.default === undefined
          ? "required"
          : ""
        : `\`${JSON.stringify(one.default)}\``;
    const text = (one.description ?? (name === "kind" && !prefix.endsWith("schedule.") ? "" : comments.get(name)) ?? "")
      .replace(/\|/g, "\\|")
      .replace(/\n/g, " ");
    const row = `| \`${full}\` | ${isWhole ? "settings" : typeOf(one).replace(/\|/g, "\\|")} | ${initial} | ${text} |`;
    return [row, ...(nested && depth < 4 ? rowsOf(nested, comments, `${full}.`, depth + 1) : [])];
  });
}

const jsonSchema = (schema) =>
  z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline", cycles: "ref" });
const section = (title, text, schema, comments, prefix = "") =>
  [
    `## ${title}`,
    text,
    ["| setting | type | default | |", "|---|---|---|---|", ...rowsOf(jsonSchema(schema), comments, prefix)].join("\n"),
  ].join("\n\n");

const training = commentsOf("src/training");
const configuration = [
  "# Configuration",
  "What `tilth.config.ts` (or `.yaml`, `.json`) may say. An unknown setting is an error that names the one you meant; `--set training.steps=500` overrides one value.",
  section("A run over text", "`defineRun({ … })`", tilth.runConfiguration, training),
  section(
    "A run over pictures with captions",
    '`objective: { kind: "contrastive" }`',
    tilth.pairsRunConfiguration,
    training,
  ),
  section(
    "A ladder",
    "`ladder:` in the file of `tilth scale run`, beside the settings of a run.",
    tilth.ladderSettings,
    commentsOf("src/scaling"),
    "ladder.",
  ),
  section(
    "An adaptation",
    "What the options of `tilth adapt` set, and `settings` in the library.",
    tilth.adaptationSettings,
    commentsOf("src/adaptation"),
  ),
];
writeFileSync(join(out, "configuration.md"), `${configuration.join("\n\n")}\n`);

const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows]
    .map((row) => `| ${row.map((cell) => String(cell).replace(/\|/g, "\\|").replace(/\n/g, " ")).join(" | ")} |`)
    .join("\n");
const registries = [
  "# Registries",
  "Every entry is one file and one line; a plugin adds more ([extending](../extending.md)).",
  "## Objectives",
  table(
    ["kind", "what is learnt", "models"],
    Object.values(tilth.objectives).map(({ name, summary, families }) => [`\`${name}\``, summary, families.join(", ")]),
  ),
  "## Filters",
  ...tilth.filterCatalogue.map(({ name, source, kinds, measures }) =>
    [
      `### ${name}`,
      `${source}; judges ${kinds.join(", ")}.`,
      table(
        ["measure", "what it is", "keeps"],
        measures.map((one) => [`\`${one.name}\``, one.description, one.threshold ?? "measured only"]),
      ),
    ].join("\n\n"),
  ),
  "## Readers",
  table(
    ["reader", "what it reads"],
    tilth.readerCatalogue.map(({ name, title }) => [`\`${name}\``, title]),
  ),
  "## Tasks",
  table(
    ["task", "what is asked", "licence of the data set"],
    [...tilth.tasks.values()].map(({ name, summary, licence }) => [`\`${name}\``, summary, licence]),
  ),
  "## Presets",
  table(
    ["preset", "what it is", "objective"],
    Object.entries(tilth.runPresets).map(([name, { describe, objective }]) => [
      `\`${name}\``,
      describe,
      objective.kind,
    ]),
  ),
];
writeFileSync(join(out, "registries.md"), `${registries.join("\n\n")}\n`);
