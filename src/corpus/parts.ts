/** A build in parts: each process does its share of the partitions into a common cache, one then merges. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import {
  canonicalJson,
  hashOf,
  messageOf,
  TilthError,
  UsageError,
  type WorkOptions,
  writeFileAtomically,
} from "../foundation/index.ts";
import { type BuildPlan, buildCorpus, type CorpusBuild, type CorpusBuildOptions, planBuild } from "./build.ts";
import { runPartitions } from "./run-partitions.ts";

/** Part `part` of `parts`, from 1. */
export interface Part {
  readonly part: number;
  readonly parts: number;
}

/** What one part of a build did. */
export interface PartOutcome extends Part {
  /** Documents and listed bytes of this part. */
  readonly documents: number;
  readonly bytes: number;
}

const partNote = z.object({
  part: z.int(),
  parts: z.int(),
  /** Hash of the work list and the settings: all parts must agree on it. */
  plan: z.string(),
  options: z.record(z.string(), z.unknown()),
});

type PartNote = z.infer<typeof partNote>;

const partsFolder = (folder: string) => `${resolve(folder)}.parts`;
const noteFile = (folder: string, { part, parts }: Part) => join(partsFolder(folder), `part-${part}-of-${parts}.json`);

/** `3/8` as a part. Throws UsageError for anything else. */
export function parsePart(text: string, option = "--partition"): Part {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const [part, parts] = match === null ? [0, 0] : [Number(match[1]), Number(match[2])];
  if (part < 1 || part > parts) {
    throw new UsageError(`${option} is "${text}", expected i/n with i from 1 to n, such as 3/8`);
  }
  return { part, parts };
}

/**
 * Does every n-th partition of a build and notes that it is done. Parts may run at once and on several machines that
 * share the folders; each must be given the same options. A part that was killed is run again and finds what it had done.
 */
export async function buildPart(options: CorpusBuildOptions, { part, parts }: Part): Promise<PartOutcome> {
  const plan = await planBuild(options);
  const tasks = plan.tasks.filter((_, index) => index % parts === part - 1);
  await runPartitions(
    tasks,
    {
      ...options,
      workers: options.workers ?? Math.min(availableParallelism(), 8),
      maximumDocumentSeconds: plan.settings.maximumDocumentSeconds,
    },
    () => {},
  );
  const { sources, settings, evaluationSets, against } = options;
  const { baseFolder, cacheFolder } = plan;
  const note: PartNote = {
    part,
    parts,
    plan: planHash(plan, options),
    options: { sources, settings, evaluationSets, against, baseFolder, cacheFolder },
  };
  writeFileAtomically(noteFile(options.folder, note), `${JSON.stringify(note, null, 2)}\n`);
  const items = tasks.flatMap((task) => task.items);
  return { part, parts, documents: items.length, bytes: items.reduce((sum, { size }) => sum + size, 0) };
}

/**
 * Finishes the build in `folder` whose parts are done: the same bytes as one build. Throws TilthError that names the
 * parts that are missing, or that were given other sources or settings.
 */
export async function mergeParts(
  folder: string,
  options: WorkOptions & Pick<CorpusBuildOptions, "workers" | "onSources"> = {},
): Promise<CorpusBuild> {
  const notes = readNotes(folder);
  const [{ parts, plan, options: given }] = notes;
  const other = notes.find((note) => note.parts !== parts || note.plan !== plan);
  if (other !== undefined) {
    throw new TilthError(
      `part ${other.part} of ${other.parts} and part ${notes[0].part} of ${parts} in ${partsFolder(folder)} are of different builds`,
      { remedy: "Give every part the same sources and settings, and remove parts of an older build." },
    );
  }
  const missing = Array.from({ length: parts }, (_, index) => index + 1).filter(
    (part) => !notes.some((note) => note.part === part),
  );
  if (missing.length > 0) {
    throw new TilthError(`${missing.length} of ${parts} parts of the corpus are not done: ${missing.join(", ")}`, {
      remedy: `Run: tilth data build --partition ${missing[0]}/${parts} with the options of the other parts.`,
    });
  }
  const build = await buildCorpus({ ...(given as unknown as CorpusBuildOptions), ...options, folder });
  rmSync(partsFolder(folder), { recursive: true, force: true });
  return build;
}

/** The parts of `parts` that are not done, from 1; all of them where none has begun. */
export function missingParts(folder: string, parts: number): number[] {
  return Array.from({ length: parts }, (_, index) => index + 1).filter(
    (part) => !existsSync(noteFile(folder, { part, parts })),
  );
}

function planHash(
  { settings, listing, baseFolder }: BuildPlan,
  { evaluationSets, against }: CorpusBuildOptions,
): string {
  return hashOf(
    canonicalJson(settings),
    canonicalJson([baseFolder, evaluationSets ?? [], against ?? []]),
    ...listing.items.map(({ source, path, size }) => `${source}\n${path}\n${size}`),
  );
}

function readNotes(folder: string): [PartNote, ...PartNote[]] {
  const notes = partsFolder(folder);
  const names = existsSync(notes) ? readdirSync(notes).filter((name) => /^part-\d+-of-\d+\.json$/.test(name)) : [];
  const [first, ...others] = names.sort().map((name) => {
    try {
      return partNote.parse(JSON.parse(readFileSync(join(notes, name), "utf8")));
    } catch (error) {
      throw new TilthError(`${join(notes, name)} is damaged: ${messageOf(error).split("\n")[0]}`, {
        remedy: "Run that part again.",
      });
    }
  });
  if (first === undefined) {
    throw new TilthError(`there are no parts of a corpus beside ${folder}`, {
      remedy: "Run the parts first: tilth data build --partition 1/n …",
    });
  }
  return [first, ...others];
}
