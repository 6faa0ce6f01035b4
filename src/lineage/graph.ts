/** Everything that led to an artefact, as a graph of artefacts and activities. */
import { existsSync } from "node:fs";
import { basename, relative, resolve } from "node:path";
import { TilthError } from "../foundation/index.ts";
import { type AncestorRecord, type ArtefactKind, contentsOf, placeOf, readRecord } from "./record.ts";

/** A file or folder of the chain. */
export interface ArtefactNode {
  readonly id: string;
  readonly kind: ArtefactKind;
  readonly name: string;
  /** Where it should be, absolute. */
  readonly path: string;
  readonly present: boolean;
  /** Its digest as the chain knows it. */
  readonly contents: string;
  /** The activity that made it; undefined for what came from outside. */
  readonly madeBy?: string;
}

/** A command that was run. */
export interface ActivityNode {
  readonly id: string;
  readonly command: string;
  readonly tilth: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** An artefact that an activity used, and as what. */
export interface Use {
  readonly activity: string;
  readonly artefact: string;
  readonly role: string;
}

export interface LineageGraph {
  /** The artefact that was asked for. */
  readonly root: string;
  /** From the root to what came first. */
  readonly artefacts: readonly ArtefactNode[];
  readonly activities: readonly ActivityNode[];
  readonly uses: readonly Use[];
}

/** The graph of an artefact's ancestry, from its own record alone. Throws TilthError where it has none or it is damaged. */
export async function lineageOf(path: string): Promise<LineageGraph> {
  const whole = resolve(path);
  const record = requireRecord(whole);
  const ancestors = new Map(record.ancestors.map((one) => [one.id, one]));
  const artefacts = new Map<string, ArtefactNode>();
  const activities = new Map<string, ActivityNode>();
  const uses: Use[] = [];

  const add = (
    one: AncestorRecord | undefined,
    node: Omit<ArtefactNode, "id" | "name" | "present" | "madeBy">,
  ): string => {
    const id = `${node.kind}:${node.contents.slice(0, 16)}`;
    if (artefacts.has(id)) return id;
    artefacts.set(id, {
      ...{ id, ...node, name: nameOf(node.path), present: existsSync(node.path) },
      ...(one && { madeBy: one.id }),
    });
    if (one === undefined || activities.has(one.id)) return id;
    activities.set(one.id, { id: one.id, ...one.activity });
    for (const used of one.used) {
      const parent = used.record === undefined ? undefined : ancestors.get(used.record);
      const { kind, contents } = used;
      const artefact = add(parent, { kind: parent?.kind ?? kind, contents, path: placeOf(used, node.path) });
      uses.push({ activity: one.id, artefact, role: used.role });
    }
    return id;
  };
  const contents = record.contents ?? (await contentsOf(whole));
  const root = add(record, { kind: record.kind, contents, path: whole });
  return { root, artefacts: [...artefacts.values()], activities: [...activities.values()], uses };
}

/** The record of an artefact. Throws TilthError where it has none. */
export function requireRecord(path: string): NonNullable<ReturnType<typeof readRecord>> {
  if (!existsSync(path))
    throw new TilthError(`there is nothing at ${path}`, {
      remedy: "Give a checkpoint, a corpus, shards or an export.",
    });
  const record = readRecord(path);
  if (record !== undefined) return record;
  throw new TilthError(`${path} has no record of where it comes from (lineage.json)`, {
    remedy: "Everything that Tilth writes has one; of models from elsewhere, see: tilth inspect",
  });
}

/** A short name: the last parts of the path that tell it from others. */
function nameOf(path: string): string {
  const near = relative(process.cwd(), path);
  return near === "" || near.startsWith("..") ? basename(path) : near;
}
