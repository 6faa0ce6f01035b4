/** From files to work items; what the readers of folders have in common. */
import type { LicenceFinding } from "../document.ts";
import type { ReaderContext, WorkItem } from "./define.ts";
import { isPage, kindOfFile } from "./kinds.ts";
import { type FoundFile, skip } from "./walk.ts";

/** The files that are documents, as work items; the others are counted. `readsPages`: HTML is read as a page. */
export function* documentsOf(
  files: Iterable<FoundFile>,
  source: string,
  licence: LicenceFinding,
  context: ReaderContext & { readonly readsPages?: boolean },
): Generator<WorkItem> {
  for (const { path, name, file, size } of files) {
    const kind = kindOfFile(name);
    if (kind === undefined) skip(context.skipped, "unknown file type");
    else if (context.readsPages && isPage(name))
      yield { source, path, file, size, kind: "web", format: "html", licence };
    else if (kind === "data" && !context.includeData) skip(context.skipped, "data file");
    else yield { source, path, file, size, kind, format: "text", licence };
  }
}
