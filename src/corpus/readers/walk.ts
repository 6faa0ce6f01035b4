/** Walking folders: sorted, so that the order of documents is the same on every machine; links are not followed. */
import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { codeOf, TilthError } from "../../foundation/index.ts";
import type { LicenceFile } from "../licences/index.ts";
import { kindOfFile } from "./kinds.ts";

/** A file as the walk finds it. */
export interface FoundFile {
  /** Below the walk's root, with forward slashes. */
  readonly path: string;
  readonly name: string;
  readonly file: string;
  readonly size: number;
}

/** What was passed over, by reason. */
export type Skipped = Map<string, number>;

/** Counts what was passed over. */
export function skip(skipped: Skipped, reason: string, count = 1): void {
  skipped.set(reason, (skipped.get(reason) ?? 0) + count);
}

/** Throws unless `path` is a folder that can be read. */
export function requireFolder(path: string, what: string): void {
  let isFolder = false;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    if (codeOf(error) !== "ENOENT" && codeOf(error) !== "ENOTDIR") {
      throw new TilthError(`${what} ${path} cannot be read (${codeOf(error)})`, {
        remedy: "Give this user permission to read it, or name another folder.",
        cause: error,
      });
    }
    throw new TilthError(`${what} ${path} does not exist`, { remedy: "Name a folder that exists.", cause: error });
  }
  if (!isFolder) throw new TilthError(`${what} ${path} is not a folder`, { remedy: "Name the folder that holds it." });
}

/** What a folder holds. */
export interface FolderEntry {
  readonly name: string;
  isDirectory(): boolean;
  isFile(): boolean;
  isSymbolicLink(): boolean;
}

/** The entries of a folder in the order of their code units; empty, and counted, where it cannot be read. */
export function sortedEntries(folder: string, skipped: Skipped): FolderEntry[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    skip(skipped, "unreadable folder");
    return [];
  }
}

/**
 * All files below `folder`. Folders for which `enter` is false are passed over, as are links, sockets and devices: a
 * link could lead into a loop or out of the folder.
 */
export function* walkFiles(
  folder: string,
  enter: (name: string, path: string) => boolean,
  skipped: Skipped,
  prefix = "",
): Generator<FoundFile> {
  for (const entry of sortedEntries(folder, skipped)) {
    const file = join(folder, entry.name);
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory()) {
      if (enter(entry.name, file)) yield* walkFiles(file, enter, skipped, `${path}/`);
    } else if (entry.isFile()) {
      let size: number;
      try {
        size = lstatSync(file).size;
      } catch {
        skip(skipped, "unreadable file");
        continue;
      }
      yield { path, name: entry.name, file, size };
    } else {
      skip(skipped, entry.isSymbolicLink() ? "symbolic link" : "special file");
    }
  }
}

const licenceName = /^((mit|bsd|apache)[-_.])?(un)?(licen[cs]e|copying)([-_.][^.]*)?(\.(md|txt|rst|markdown))?$/i;
/** The longest licence text (GPL-3.0) has 35 kB; bundles of third-party notices reach a few hundred. */
const maximumLicenceBytes = 1_000_000;

/** The licence files that lie directly in a folder. */
export function licenceFilesIn(folder: string, skipped: Skipped): LicenceFile[] {
  const files: LicenceFile[] = [];
  for (const entry of sortedEntries(folder, skipped)) {
    // The kind excludes code that is named after a licence, such as license.js.
    if (!entry.isFile() || !licenceName.test(entry.name) || kindOfFile(entry.name) !== "prose") continue;
    const file = join(folder, entry.name);
    try {
      if (statSync(file).size <= maximumLicenceBytes) {
        files.push({ name: basename(file), text: readFileSync(file, "utf8") });
      }
    } catch {
      skip(skipped, "unreadable file");
    }
  }
  return files;
}
