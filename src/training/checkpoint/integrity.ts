/** Checksums of a checkpoint's files, and the newest checkpoint of a run that agrees with its own. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { z } from "zod";
import { hashFile, messageOf, removeLeftovers, TilthError, writeFileAtomically } from "../../foundation/index.ts";
import { checkpointNames, checkpointsFolder } from "./places.ts";

const checksumFile = "checksums.json";

/** Writes the SHA-256 of every file of a finished folder beside them. */
export async function writeChecksums(folder: string): Promise<void> {
  const sums: Record<string, string> = {};
  for (const file of filesBelow(folder)) sums[relative(folder, file)] = await hashFile(file);
  writeFileAtomically(join(folder, checksumFile), `${JSON.stringify(sums, null, 2)}\n`);
}

/** Throws TilthError naming the first file that is missing, cannot be read or differs from its checksum. */
export async function verifyCheckpoint(path: string): Promise<void> {
  const file = join(path, checksumFile);
  let sums: Record<string, string>;
  try {
    sums = z.record(z.string(), z.string()).parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new TilthError(`checkpoint ${path} is damaged: ${checksumFile} cannot be read`, { cause });
  }
  for (const [name, expected] of Object.entries(sums)) {
    const part = join(path, name);
    if (!existsSync(part)) throw new TilthError(`checkpoint ${path} is damaged: ${name} is missing`);
    const actual = await hashFile(part).catch((cause: unknown) => {
      throw new TilthError(`checkpoint ${path} is damaged: ${name} cannot be read: ${messageOf(cause)}`, { cause });
    });
    if (actual !== expected) {
      throw new TilthError(
        `checkpoint ${path} is damaged: ${name} has checksum ${actual.slice(0, 8)}… instead of ${expected.slice(0, 8)}…`,
      );
    }
  }
}

/**
 * The newest undamaged checkpoint of a run, or undefined where there is none. A damaged one is reported to `warn` and
 * the one before it taken. Throws TilthError where there are checkpoints, all of them damaged: starting again from nothing
 * is for people to decide.
 */
export async function latestCheckpoint(
  runFolder: string,
  warn: (message: string) => void,
): Promise<string | undefined> {
  const names = checkpointNames(runFolder).reverse();
  for (const name of names) {
    const path = join(checkpointsFolder(runFolder), name);
    try {
      await verifyCheckpoint(path);
      return path;
    } catch (error) {
      if (!(error instanceof TilthError)) throw error;
      warn(`${error.message}; taking the one before it`);
    }
  }
  if (names.length === 0) return undefined;
  throw new TilthError(`all ${names.length} checkpoints of ${runFolder} are damaged: nothing to continue from`, {
    remedy: `Put a good copy back, or remove ${checkpointsFolder(runFolder)} to start again from step 0.`,
  });
}

/** Removes what a crashed writer left. Call it only where no writer of the run is active. */
export function removeUnfinishedCheckpoints(runFolder: string): void {
  removeLeftovers(checkpointsFolder(runFolder));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .filter((path) => basename(path) !== checksumFile)
    .sort();
}
