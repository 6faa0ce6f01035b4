/** What the folders that are shown hold: runs and ladders. */
import { createHash } from "node:crypto";
import { type Dirent, existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { packageVersion } from "../foundation/index.ts";
import { placesOf, type RunDescription, readRunDescription } from "../jobs/index.ts";
import { checkpointNames } from "../training/index.ts";
import { LogFeed } from "./log-feed.ts";
import type { Overview, RunSummary } from "./protocol.ts";

/** How deep below a given folder runs are looked for. */
const deepest = 4;
/** Folders looked into at most: who gives a home folder by mistake still gets an answer. */
const mostFolders = 5000;
/** Folders inside a run, and those that hold no runs. */
const passedOver = new Set([
  "node_modules",
  "corpus",
  "corpus-cache",
  "shards",
  "checkpoints",
  "report",
  "evaluations",
]);
/** A run whose log was written within that time goes on. */
const liveMilliseconds = 60_000;

/** A run that is shown. */
export interface ShownRun {
  readonly id: string;
  readonly name: string;
  readonly folder: string;
  readonly feed: LogFeed;
  /** Dropped on the page: it lies in none of the folders. */
  readonly opened: boolean;
}

/** The folders that are shown and what was found in them. */
export class Places {
  readonly runs = new Map<string, ShownRun>();
  readonly ladders = new Map<string, { readonly name: string; readonly folder: string }>();

  constructor(
    readonly folders: readonly string[],
    private readonly base: string = process.cwd(),
  ) {}

  /** Looks again. True where something came or went. */
  scan(): boolean {
    const found = { runs: new Set<string>(), ladders: new Set<string>(), left: mostFolders };
    for (const folder of this.folders) this.look(resolve(folder), 0, found);
    const before = this.runs.size + this.ladders.size;
    let changed = false;
    for (const [id, { folder, opened }] of this.runs) {
      if (opened) continue;
      if (found.runs.has(folder)) found.runs.delete(folder);
      else changed = this.runs.delete(id);
    }
    for (const folder of found.runs) this.add(folder);
    for (const folder of found.ladders) this.ladders.set(idOf(folder), { name: this.nameOf(folder), folder });
    return changed || before !== this.runs.size + this.ladders.size;
  }

  /** Shows a run that was opened from elsewhere. */
  open(folder: string, name: string): string {
    return this.add(folder, name, true);
  }

  overview(): Overview {
    return {
      version: packageVersion(),
      folders: this.folders,
      runs: [...this.runs.values()].map(summaryOf).sort((a, b) => (b.created ?? "").localeCompare(a.created ?? "")),
      ladders: [...this.ladders].map(([id, { name }]) => ({ id, name })),
    };
  }

  private add(folder: string, name = this.nameOf(folder), opened = false): string {
    const id = idOf(folder);
    if (!this.runs.has(id)) this.runs.set(id, { id, name, folder, opened, feed: new LogFeed(placesOf(folder).log) });
    return id;
  }

  private look(folder: string, depth: number, found: { runs: Set<string>; ladders: Set<string>; left: number }): void {
    if (found.left-- <= 0) return;
    let entries: Dirent[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      return;
    }
    const has = (name: string) => entries.some((entry) => entry.name === name);
    if (has("run.json") || has("log.jsonl")) found.runs.add(folder);
    if (has("ladder.csv")) found.ladders.add(folder);
    if (depth === deepest) return;
    for (const entry of entries) {
      if (entry.isDirectory() && !passedOver.has(entry.name) && !entry.name.startsWith("."))
        this.look(join(folder, entry.name), depth + 1, found);
    }
  }

  private nameOf(folder: string): string {
    const near = relative(this.base, folder);
    if (near !== "" && !near.startsWith("..")) return near;
    const root = this.folders.map((one) => resolve(one)).find((one) => !relative(one, folder).startsWith(".."));
    return root === undefined ? basename(folder) : join(basename(root), relative(root, folder));
  }
}

/** What a run's folder says of it; a folder with a log alone is shown too. */
function summaryOf({ id, name, folder, feed, opened }: ShownRun): RunSummary {
  const description = descriptionOf(folder);
  const steps = (description?.training as { steps?: number } | undefined)?.steps ?? null;
  const written = !opened && Date.now() - feed.writtenAt < liveMilliseconds;
  return {
    ...{ id, name, steps },
    objective: description?.objective.kind ?? null,
    architecture: description?.model.architecture ?? null,
    created: description?.created ?? null,
    live: written && (steps === null || feed.lastStep < steps),
    hasReport: existsSync(join(placesOf(folder).report, "report.html")),
    checkpoints: checkpointNames(folder),
  };
}

/** `run.json`, or null where it is missing or damaged. */
export function descriptionOf(folder: string): RunDescription | null {
  try {
    return readRunDescription(folder);
  } catch {
    return null;
  }
}

/** The table of a ladder as text. */
export function ladderTableOf(folder: string): string {
  return readFileSync(join(folder, "ladder.csv"), "utf8");
}

/** Addresses name folders by this: no path of the machine stands in them, and none can be asked for. */
function idOf(folder: string): string {
  return createHash("sha256").update(folder).digest("hex").slice(0, 12);
}
