/** The document store that a subcommand asks: its option, and opening it. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type CorpusBuild, type DocumentStore, openDocumentStore } from "../../corpus/index.ts";
import type { CommandInput, OptionDefinition } from "../command.ts";
import { formatBytes } from "../terminal.ts";

/** Options of every subcommand that reads a store. */
export const storeOptions = {
  corpus: { describe: "folder of the document store, or of a run", placeholder: "folder", initial: "corpus" },
  json: { describe: "print JSON" },
} as const satisfies Readonly<Record<string, OptionDefinition>>;

/** The store's folder: the one given, or the corpus of the run whose folder it is. */
export function storeFolder(folder: string): string {
  const [given, ofRun] = [resolve(folder), resolve(folder, "corpus")];
  return !existsSync(join(given, "corpus.json")) && existsSync(join(ofRun, "corpus.json")) ? ofRun : given;
}

/** Opens the store of `--corpus`, prints what `work` returns, and closes it. */
export async function withStore(input: CommandInput, work: (store: DocumentStore) => Promise<string>): Promise<void> {
  const store = await openDocumentStore(storeFolder(input.text("corpus")!));
  try {
    process.stdout.write(await work(store));
  } finally {
    store.close();
  }
}

/** A finished build in one line. */
export function describeBuild(corpus: CorpusBuild): string {
  const rejected = Object.entries(corpus.rejectedByReason).sort(([, a], [, b]) => b - a);
  const held = corpus.rejectedByReason["licence: licence.review"] ?? 0;
  return [
    `${corpus.documents} documents (${formatBytes(corpus.bytes)}), ${corpus.kept} kept (${formatBytes(corpus.keptBytes)}) in ${corpus.folder}`,
    ...rejected.slice(0, 5).map(([reason, count]) => `  ${String(count).padStart(7)}  ${reason}`),
    // The first corpus that people build is their own, and says nothing of a licence.
    ...(held > corpus.documents / 2
      ? [
          "Text whose licence is not known is held for review. If it is your own: --accept allow --accept attribute --accept review",
        ]
      : []),
    "",
  ].join("\n");
}
