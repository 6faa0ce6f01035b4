/** A ladder's file: a run's configuration with `ladder` beside it, from which every rung's own run follows. */
import { basename, dirname, join, resolve } from "node:path";
import { parseSettings } from "../foundation/index.ts";
import { type LadderRung, ladderRungs, ladderSettings } from "../scaling/index.ts";
import { readSettings, withAbsolutePaths, withPlugins } from "./load.ts";
import { modelOf, parseRunConfiguration, type RunConfiguration } from "./run-configuration.ts";

/** A rung and the run that trains it. */
export interface LadderRun {
  readonly rung: LadderRung;
  readonly configuration: RunConfiguration;
}

/** The ladder's folder with its corpus and shards, and its runs below `rungs/`. */
export interface Ladder {
  /** The run that corpus and tokenizer are made for. */
  readonly base: RunConfiguration;
  readonly runs: readonly LadderRun[];
}

/** Reads a ladder's file. Throws UsageError naming what is missing, unknown or not valid in it or in any rung's run. */
export async function loadLadder(
  path: string,
  options: { readonly overrides?: readonly string[]; readonly folder?: string } = {},
): Promise<Ladder> {
  const { ladder, ...written } = await readSettings(path, options.overrides ?? []);
  const own = await withPlugins(written, dirname(resolve(path)));
  const name = basename(path);
  const settings = parseSettings(ladderSettings, ladder, `the ladder of ${name}`);
  const model = { ...((own.model ?? {}) as Record<string, unknown>) };
  const training = { ...((own.training ?? {}) as Record<string, unknown>) };
  const folder = options.folder === undefined ? own.runFolder : resolve(options.folder);
  const parse = (changes: Readonly<Record<string, unknown>>, trained: Record<string, unknown>) =>
    withAbsolutePaths(
      parseRunConfiguration(
        { ...own, runFolder: folder, model: { ...model, ...changes }, training: { ...training, ...trained } },
        name,
      ),
      dirname(resolve(path)),
    );
  // Any number of steps will do here: what is read of it is what all rungs share.
  const base = parse(settings.sizes[0].model, { steps: 1_000_000 });
  const { batchSequences, sequenceLength, schedule } = base.training;
  const rungs = ladderRungs(settings, {
    tokensPerStep: batchSequences * sequenceLength,
    warmupSteps: schedule.warmupSteps,
    widthOf(changes) {
      const { architecture, configuration } = modelOf(
        parse(changes, { steps: 1_000_000 }),
        base.tokenizer.vocabularySize,
      );
      return architecture.dimensions(configuration).width;
    },
  });
  const runs = rungs.map((rung) => {
    const { steps, learningRate, warmupSteps } = rung;
    const configuration = parse(rung.model, {
      ...{ steps, learningRate, schedule: { ...schedule, warmupSteps } },
      validateEvery: steps,
      keepCheckpoints: 1,
    });
    return { rung, configuration: { ...configuration, runFolder: join(base.runFolder, "rungs", rung.name) } };
  });
  return { base, runs };
}
