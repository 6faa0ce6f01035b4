/** Whether a chain is as it was recorded: every file of every artefact in it that is on this machine is hashed again. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { hashFile, messageOf, TilthError } from "../foundation/index.ts";
import { digestOf, type FileSums, recordName, statedSums, statesSums, sumsOf } from "./contents.ts";
import { requireRecord } from "./graph.ts";
import { type LineageRecord, placeOf, readRecord, recordPath, type UsedArtefact } from "./record.ts";
import { readSources } from "./sources.ts";

/**
 * What was found of one artefact.
 * - `intact`: every byte is as recorded
 * - `changed`: a file, or its record, differs; `problems` name them
 * - `absent`: it is not on this machine, or not at its recorded place: nothing can be said of it
 * - `replaced`: sound by its own record, but no more the one that was used: built again, or documents were taken down
 */
export interface Verification {
  readonly path: string;
  readonly kind: UsedArtefact["kind"];
  readonly state: "intact" | "changed" | "absent" | "replaced";
  readonly files: number;
  readonly problems: readonly string[];
}

/** Verifies an artefact and everything that led to it, nearest first. Throws TilthError where `path` has no record. */
export async function verifyLineage(
  path: string,
  onVerified: (one: Verification) => void = () => {},
): Promise<Verification[]> {
  const found = new Map<string, Verification>();
  const visit = async (place: string, expected?: UsedArtefact): Promise<void> => {
    if (found.has(place)) return;
    const one = await verifyOne(place, expected);
    found.set(place, one.verification);
    onVerified(one.verification);
    for (const used of one.record?.used ?? []) {
      if (used.kind !== "source") await visit(placeOf(used, place), used);
    }
    if (one.record?.kind === "corpus")
      for (const source of await verifySources(place, one.record)) {
        found.set(source.path, source);
        onVerified(source);
      }
  };
  if (!existsSync(recordPath(path))) requireRecord(path);
  await visit(path);
  return [...found.values()];
}

/** Whether the weights of a model are those that its record describes: other tools write over them and leave the record. */
export async function weightsAgree(path: string, record: LineageRecord): Promise<boolean> {
  const stated = statesSums(path) ? statedSums(path) : record.files;
  const weights = Object.entries(stated ?? {}).filter(([name]) => /^[^/]*\.(safetensors|gguf|onnx)$/.test(name));
  if (weights.length === 0) return false;
  for (const [name, sum] of weights) {
    const file = statSync(path).isDirectory() ? join(path, name) : path;
    if (!existsSync(file) || (await hashFile(file)) !== sum) return false;
  }
  return true;
}

async function verifyOne(
  path: string,
  expected?: UsedArtefact,
): Promise<{ verification: Verification; record?: LineageRecord }> {
  const kind = expected?.kind;
  if (!existsSync(path)) return { verification: { path, kind: kind!, state: "absent", files: 0, problems: [] } };
  const problems: string[] = [];
  let record: LineageRecord | undefined;
  try {
    record = readRecord(path);
  } catch (error) {
    if (!(error instanceof TilthError)) throw error;
    problems.push(messageOf(error));
  }
  if (record === undefined && problems.length === 0 && expected?.record !== undefined) {
    problems.push(`${recordPath(path)} is missing`);
  }
  const sums = await sumsOf(path);
  const list = statesSums(path) ? join(path, "checksums.json") : recordPath(path);
  const stated = statesSums(path) ? statedSums(path) : record?.files;
  if (statesSums(path) && stated === undefined) problems.push(`${list} is damaged`);
  // A checkpoint's list has its record too.
  if (
    stated?.[recordName] !== undefined &&
    existsSync(join(path, recordName)) &&
    (await hashFile(join(path, recordName))) !== stated[recordName]
  ) {
    problems.push(`${join(path, recordName)} differs from what ${list} states`);
  }
  if (stated !== undefined) problems.push(...differences(path, list, stated, sums));
  const files = Object.keys(sums).length;
  const agrees = expected === undefined || digestOf(sums) === expected.contents;
  if (!agrees && stated === undefined && problems.length === 0)
    problems.push(`${path} is not what was used: its files differ`);
  const state = problems.length > 0 ? "changed" : agrees ? "intact" : "replaced";
  return { verification: { path, kind: record?.kind ?? kind ?? "data", state, files, problems }, record };
}

function differences(path: string, list: string, stated: FileSums, actual: FileSums): string[] {
  const at = (name: string) => (statSync(path).isDirectory() ? join(path, name) : path);
  const listed = Object.entries(stated).filter(([name]) => name !== recordName);
  return [
    ...listed.filter(([name]) => !Object.hasOwn(actual, name)).map(([name]) => `${at(name)} is missing`),
    ...listed
      .filter(([name, sum]) => Object.hasOwn(actual, name) && actual[name] !== sum)
      .map(([name]) => `${at(name)} differs from what ${list} states`),
    ...Object.keys(actual)
      .filter((name) => !Object.hasOwn(stated, name))
      .map((name) => `${at(name)} is not in ${list}`),
  ];
}

/** The raw files of a corpus, source by source. */
async function verifySources(corpus: string, record: LineageRecord): Promise<Verification[]> {
  const sources = record.used.filter(({ kind }) => kind === "source");
  const listed = readSources(corpus);
  const found: Verification[] = [];
  for (const source of sources) {
    const path = placeOf(source, corpus);
    const files = listed.filter(({ file }) => file === path || file.startsWith(`${path}/`));
    if (!existsSync(path)) {
      found.push({ path, kind: "source", state: "absent", files: files.length, problems: [] });
      continue;
    }
    const problems: string[] = [];
    for (const { file, sha256 } of files) {
      if (!existsSync(file)) problems.push(`${file} is missing`);
      else if ((await hashFile(file)) !== sha256) problems.push(`${file} has changed`);
    }
    found.push({
      path,
      kind: "source",
      state: problems.length > 0 ? "changed" : "intact",
      files: files.length,
      problems,
    });
  }
  return found;
}
