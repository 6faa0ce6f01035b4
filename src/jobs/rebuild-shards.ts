/** Token shards of a run made anew where they are damaged: from its corpus, or from its sources where that is gone too. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseRunConfiguration } from "../config/index.ts";
import { type Progress, TilthError } from "../foundation/index.ts";
import { replayFolder } from "./continuation.ts";
import { buildRunCorpus, type RunHooks, tokenizeRun } from "./run.ts";
import { placesOf, readRunDescription } from "./run-folder.ts";
import { readShards } from "./tokenize.ts";

/**
 * Writes the shards that the run was started with once more; they are the same to the bit, tokenizer included. Throws TilthError
 * where the sources have changed, and leaves the shards alone then.
 */
export async function rebuildShards(runFolder: string, hooks: RunHooks<Progress>): Promise<void> {
  const { configuration, corpusKey } = readRunDescription(runFolder);
  const places = placesOf(runFolder);
  const run = { ...parseRunConfiguration(configuration, places.description), runFolder };
  const manifest = join(places.shards, "shards.json");
  const before = existsSync(manifest) ? readShards(places.shards).tokens : undefined;
  const corpus = await buildRunCorpus(run, hooks);
  if (corpus.key !== corpusKey) {
    throw new TilthError(
      `the sources of ${runFolder} have changed since it was started: its shards cannot be made anew`,
      {
        remedy: "Put the sources back as they were, or copy the shards from where they are whole.",
      },
    );
  }
  // Without its manifest a shard folder is made anew, and its tokenizer with it.
  for (const folder of [places.shards, replayFolder(runFolder)]) rmSync(join(folder, "shards.json"), { force: true });
  const { tokens } = await tokenizeRun(run, corpus, hooks);
  if (before === undefined || tokens === before) return;
  throw new TilthError(`the shards made anew have ${tokens} tokens, those before had ${before}`, {
    remedy:
      "A run whose documents were taken down goes on with shards of its own: copy them from where they are whole.",
  });
}
