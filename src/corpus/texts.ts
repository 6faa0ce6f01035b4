/** The texts of sources as filters would see them, without building a corpus of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { decodeText, extractHtml, normalise } from "./normalise/index.ts";
import { readDocument } from "./process.ts";
import { type CorpusSourceInput, listSources } from "./readers/index.ts";
import { parseCorpusSettings, parseSources } from "./settings.ts";

/** A document's text and where it is from. */
export interface SourceText {
  readonly source: string;
  readonly path: string;
  readonly text: string;
}

/** Reads the documents of the sources one after the other; those that cannot be read are passed over. */
export async function* sourceTexts(
  sources: readonly CorpusSourceInput[],
  options: { readonly baseFolder?: string; readonly signal?: AbortSignal } = {},
): AsyncGenerator<SourceText> {
  const { maximumFileBytes } = parseCorpusSettings({});
  const spoolFolder = mkdtempSync(join(tmpdir(), "tilth-spool-"));
  try {
    const { items } = await listSources(parseSources(sources), {
      includeData: false,
      baseFolder: resolve(options.baseFolder ?? "."),
      spoolFolder,
      maximumFileBytes,
      signal: options.signal,
    });
    for (const item of items) {
      const content = readDocument(item, maximumFileBytes);
      if ("rejection" in content) continue;
      const decoded = item.format === "html" ? extractHtml(content.bytes) : decodeText(content.bytes);
      if ("rejection" in decoded) continue;
      const text = normalise(decoded.text);
      if (text !== "") yield { source: item.source, path: item.path, text };
    }
  } finally {
    rmSync(spoolFolder, { recursive: true, force: true });
  }
}
