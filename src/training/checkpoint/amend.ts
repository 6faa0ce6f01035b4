/** Files of a finished checkpoint replaced: what is learned about a model after it was trained belongs into its card. */
import { linkSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { publishFolder, writeFileAtomically } from "../../foundation/index.ts";
import { writeChecksums } from "./integrity.ts";
import type { CheckpointFiles } from "./snapshot.ts";

/** Replaces or adds files of a checkpoint; the folder is whole, with true checksums, before and after. Weights are not copied. */
export async function amendCheckpoint(path: string, files: CheckpointFiles): Promise<void> {
  await publishFolder(path, async (temporary) => {
    linkAll(path, temporary, new Set([...Object.keys(files), "checksums.json"]));
    for (const [name, content] of Object.entries(files)) writeFileAtomically(join(temporary, name), content);
    await writeChecksums(temporary);
  });
}

function linkAll(from: string, to: string, except: ReadonlySet<string>): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (except.has(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (!entry.isDirectory()) linkSync(source, target);
    else {
      mkdirSync(target);
      linkAll(source, target, new Set());
    }
  }
}
