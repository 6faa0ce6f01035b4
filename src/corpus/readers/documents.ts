/** From files to work items; what the readers have in common. */
import type { LicenceFinding } from "../document.ts";
import type { ReaderContext, WorkItem } from "./define.ts";
import { kindOfFile } from "./kinds.ts";
import { type FoundFile, skip } from "./walk.ts";

/** The files that are documents, as work items; the others are counted. */
export function* documentsOf(
  files: Iterable<FoundFile>,
  source: string,
  licence: LicenceFinding,
  context: ReaderContext,
): Generator<WorkItem> {
  for (const { path, name, file, size } of files) {
    const kind = kindOfFile(name);
    if (kind === undefined) skip(context.skipped, "unknown file type");
    else if (kind === "data" && !context.includeData) skip(context.skipped, "data file");
    else yield { source, path, file, size, kind, licence };
  }
}
