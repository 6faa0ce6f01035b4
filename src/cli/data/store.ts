/** The document store that a subcommand asks: its option, and opening it. */
import { resolve } from "node:path";
import { type CorpusBuild, type DocumentStore, openDocumentStore } from "../../corpus/index.ts";
import type { CommandInput, OptionDefinition } from "../command.ts";
import { formatBytes } from "../terminal.ts";

/** Options of every subcommand that reads a store. */
export const storeOptions = {
  corpus: { describe: "folder of the document store", placeholder: "folder", initial: "corpus" },
  json: { describe: "print JSON" },
} as const satisfies Readonly<Record<string, OptionDefinition>>;

/** Opens the store of `--corpus`, prints what `work` returns, and closes it. */
export async function withStore(input: CommandInput, work: (store: DocumentStore) => Promise<string>): Promise<void> {
  const store = await openDocumentStore(resolve(input.text("corpus")!));
  try {
    process.stdout.write(await work(store));
  } finally {
    store.close();
  }
}

/** A finished build in one line. */
export function describeBuild(corpus: CorpusBuild): string {
  return `${corpus.documents} documents (${formatBytes(corpus.bytes)}), ${corpus.kept} kept (${formatBytes(corpus.keptBytes)}) in ${corpus.folder}\n`;
}
