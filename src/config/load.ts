/** Reads a run's configuration: TypeScript, JavaScript, YAML or JSON, with single values overridden by `--set`. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { importUserModule, loadPlugins, messageOf, UsageError } from "../foundation/index.ts";
import type { PairsRunConfiguration } from "./pairs-run-configuration.ts";
import { isPairsRun, parseRun, type RunConfiguration } from "./run-configuration.ts";

const names = ["ts", "mts", "js", "mjs", "yaml", "yml", "json"].map((extension) => `tilth.config.${extension}`);

/** The configuration file of a folder. Throws UsageError where there is none. */
export function findConfiguration(folder: string): string {
  const found = names.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new UsageError(`there is no tilth.config.ts in ${folder}`, {
    remedy: "Write one with: tilth init. Or name a file: tilth train my-run.yaml",
  });
}

/**
 * The configuration in `path`, with `overrides` such as `training.steps=500` (values are YAML scalars or lists) applied
 * before it is checked. Relative paths in it start at the file's folder. Throws UsageError for a file that is missing or
 * cannot be read, for an unknown key and for a value that is not valid.
 */
export async function loadRun(
  path: string,
  overrides: readonly string[] = [],
): Promise<RunConfiguration | PairsRunConfiguration> {
  return resolveRun(await readSettings(path, overrides), dirname(resolve(path)), basename(path));
}

/** A run from its settings: plugins loaded, all checked, with every default and absolute paths that start at `base`. Throws as `loadRun`. */
export async function resolveRun(
  settings: Record<string, unknown>,
  base: string,
  from: string,
): Promise<RunConfiguration | PairsRunConfiguration> {
  const written = await withPlugins(settings, base);
  // The model is read while the settings are checked.
  if (typeof written.continueFrom === "string")
    written.continueFrom = checkpointAt(resolve(base, written.continueFrom));
  const configuration = parseRun(written, from);
  if (!isPairsRun(configuration)) return withAbsolutePaths(configuration, base);
  const { images } = configuration;
  const runFolder = resolve(base, configuration.runFolder);
  return { ...configuration, runFolder, images: { ...images, path: resolve(base, images.path) } };
}

/** Loads the plugins that settings name: what they register may stand in the settings. */
export async function withPlugins(settings: Record<string, unknown>, base: string): Promise<Record<string, unknown>> {
  const { plugins } = settings;
  // Of another form they are refused with all that is wrong.
  if (!Array.isArray(plugins) || !plugins.every((one) => typeof one === "string")) return { ...settings };
  await loadPlugins(plugins, base);
  return { ...settings, plugins: plugins.map((one) => resolve(base, one)) };
}

/** The folder itself, or the last checkpoint where it is a run's. */
function checkpointAt(folder: string): string {
  const latest = join(folder, "checkpoints", "latest");
  return existsSync(latest) ? join(folder, "checkpoints", readFileSync(latest, "utf8").trim()) : folder;
}

/** The settings in a configuration file with the overrides, not yet checked. */
export async function readSettings(path: string, overrides: readonly string[]): Promise<Record<string, unknown>> {
  const file = resolve(path);
  if (!existsSync(file)) throw new UsageError(`${path}: there is no such configuration file`);
  const raw = await readConfiguration(file);
  if (raw === null || typeof raw !== "object" || Array.isArray(raw)) {
    throw new UsageError(`${path} holds no configuration object`, {
      remedy: "A TypeScript configuration ends with: export default defineRun({ … })",
    });
  }
  return overrides.reduce(withOverride, structuredClone(raw) as Record<string, unknown>);
}

/** Relative paths start at `base`. */
export function withAbsolutePaths(configuration: RunConfiguration, base: string): RunConfiguration {
  return {
    ...configuration,
    runFolder: resolve(base, configuration.runFolder),
    ...(configuration.continueFrom && { continueFrom: resolve(base, configuration.continueFrom) }),
    continuation: {
      ...configuration.continuation,
      ...(configuration.continuation.replay && {
        replay: { ...configuration.continuation.replay, from: resolve(base, configuration.continuation.replay.from) },
      }),
    },
    corpus: {
      ...configuration.corpus,
      sources: configuration.corpus.sources.map((source) => ({ ...source, path: resolve(base, source.path) })),
      evaluationSets: configuration.corpus.evaluationSets.map((set) => ({ ...set, path: resolve(base, set.path) })),
      against: configuration.corpus.against.map((folder) => resolve(base, folder)),
    },
  };
}

/** As `loadRun`, for a run over text. Throws UsageError for another one. */
export async function loadRunConfiguration(path: string, overrides: readonly string[] = []): Promise<RunConfiguration> {
  const run = await loadRun(path, overrides);
  if (!isPairsRun(run)) return run;
  throw new UsageError(`${path} is a run over pictures with captions (objective contrastive)`, {
    remedy: "Here a run over text is needed. Contrastive runs are trained with: tilth train",
  });
}

async function readConfiguration(file: string): Promise<unknown> {
  const extension = extname(file);
  if (![".json", ".yaml", ".yml"].includes(extension)) return importUserModule(file);
  try {
    const text = readFileSync(file, "utf8");
    return extension === ".json" ? JSON.parse(text) : parseYaml(text);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** The object with one setting replaced: `training.steps=500`, the value a YAML scalar or list. */
export function withOverride(root: Record<string, unknown>, override: string): Record<string, unknown> {
  const at = override.indexOf("=");
  const path = override.slice(0, at).split(".");
  if (at <= 0 || path.includes("")) {
    throw new UsageError(`--set "${override}" is not of the form name=value, e.g. training.steps=500`);
  }
  let parent: Record<string, unknown> = root;
  for (const key of path.slice(0, -1)) {
    const next = parent[key] ?? {};
    if (typeof next !== "object")
      throw new UsageError(`--set ${override}: "${key}" is a value, not a group of settings`);
    parent[key] = next;
    parent = next as Record<string, unknown>;
  }
  parent[path[path.length - 1]] = parseYaml(override.slice(at + 1));
  return root;
}
