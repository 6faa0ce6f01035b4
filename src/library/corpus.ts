/** A corpus from raw files. */
import type { CorpusBuild, CorpusBuildOptions } from "../corpus/index.ts";
import { loadPlugins, type Progress } from "../foundation/index.ts";
import { buildRecordedCorpus } from "../jobs/index.ts";
import { type StartOptions, startWork, type Work } from "./work.ts";

/** What a corpus is built from and where. */
export interface BuildCorpusOptions
  extends Omit<CorpusBuildOptions, "onProgress" | "onSources" | "signal">,
    StartOptions {
  /** Files that register filters of your own. */
  readonly plugins?: readonly string[];
}

/**
 * Builds a corpus as `tilth data build` does: every document a row of a Parquet store, with what speaks against it. The same
 * documents and settings give the same key, however often it was stopped before.
 * @throws UsageError or TilthError for what the user can mend, InterruptedError where it was stopped
 */
export function buildCorpus({ plugins = [], ...options }: BuildCorpusOptions): Work<Progress, CorpusBuild> {
  return startWork(async ({ onEvent, signal }) => {
    await loadPlugins(plugins, options.baseFolder);
    return buildRecordedCorpus({ ...options, onProgress: onEvent, signal });
  }, options);
}
