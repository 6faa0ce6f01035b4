import { join, resolve } from "node:path";
import { launchedPlace } from "../cluster/index.ts";
import {
  findConfiguration,
  isPairsRun,
  loadRun,
  type PairsRunConfiguration,
  type RunConfiguration,
} from "../config/index.ts";
import { UsageError } from "../foundation/index.ts";
import {
  buildRunCorpus,
  placesOf,
  planContinuation,
  preparePairsRun,
  prepareRun,
  readRunDescription,
  rebuildShards,
  requireNoCheckpoints,
  resumeRun,
  tokenizeRun,
  trainPairsRun,
  trainRun,
} from "../jobs/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { isInteractive, requireReplaceable } from "./questions.ts";
import { formatBytes, formatCount, interruptSignal, progressLine, say } from "./terminal.ts";
import { watchTraining } from "./training-progress.ts";

const stopping = "stopping after this step; press Ctrl-C again to leave at once without saving";

/** `tilth train` */
export const train: Command = {
  summary: "train as a configuration file says, or continue a run bit for bit",
  usage: "[configuration file] [options]  |  --resume <run folder>",
  options: {
    set: {
      describe:
        "override a value: training.steps=500; may be repeated; with --resume only what leaves the numbers alone",
      placeholder: "name=value",
      multiple: true,
    },
    run: { describe: "the run's folder instead of the configuration's", placeholder: "folder" },
    "continue-from": {
      describe: "a Hugging Face folder, or a run: the new run starts from its model, weights and tokenizer",
      placeholder: "folder",
    },
    replay: {
      describe: "with --continue-from: general text to replay, 5 % of all: the base's run, a corpus, or shards",
      placeholder: "folder",
    },
    "peak-of-base": {
      describe: "with --continue-from: the highest learning rate as a share of the base's",
      placeholder: "share",
    },
    resume: { describe: "the run to continue", placeholder: "run folder" },
    "rebuild-shards": { describe: "with --resume: make the token shards anew first, from corpus or sources" },
    replace: { describe: "replace the checkpoints of an earlier run in the run's folder" },
    "dry-run": { describe: "check the configuration, print it with every default, and stop" },
    json: { describe: "print every record as a JSON line" },
  },
  examples: [
    "tilth train",
    "tilth train my-run.yaml --set training.steps=500 --run runs/short",
    "tilth train examples/continue.yaml --continue-from runs/quickstart --replay runs/quickstart --peak-of-base 0.5",
    "tilth train --resume runs/quickstart",
  ],
  async run(input) {
    const resumed = input.text("resume");
    if (resumed === undefined) return trainNew(input);
    if (input.positionals.length > 0) {
      throw new UsageError("--resume continues a run as it is: it takes no configuration file");
    }
    const runFolder = resolve(resumed);
    if (input.flag("rebuild-shards")) {
      const progress = progressLine();
      await rebuildShards(runFolder, { onEvent: progress.update, signal: interruptSignal("stopping") });
      progress.end();
    }
    const watch = watchTraining(Number(readRunDescription(runFolder).training.steps), input.flag("json"));
    // Of several ranks the first one speaks.
    const first = (launchedPlace()?.rank ?? 0) === 0;
    const hooks = { onEvent: first ? watch.listen : () => {}, signal: interruptSignal(first ? stopping : undefined) };
    const { steps, checkpoint } = await resumeRun(runFolder, hooks, input.list("set"));
    if (first) say(`The run is complete after ${steps} steps: ${checkpoint}`);
  },
};

/** The configuration that the command line names, checked. */
async function configurationOf(input: CommandInput): Promise<RunConfiguration | PairsRunConfiguration> {
  const [file = findConfiguration(process.cwd()), ...more] = input.positionals;
  if (more.length > 0) throw new UsageError(`one configuration file is expected, got ${more.length + 1}`);
  const base = input.text("continue-from");
  const [replay, peakOfBase] = [input.text("replay"), input.text("peak-of-base")];
  const overrides = [
    ...(base === undefined ? [] : [`continueFrom=${resolve(base)}`]),
    ...(replay === undefined ? [] : [`continuation.replay.from=${resolve(replay)}`]),
    ...(peakOfBase === undefined ? [] : [`continuation.peakOfBase=${peakOfBase}`]),
  ];
  const loaded = await loadRun(file, [...input.list("set"), ...overrides]);
  const run = input.text("run");
  return run === undefined ? loaded : { ...loaded, runFolder: resolve(run) };
}

/** Throws UsageError where the folder holds checkpoints, unless they may be replaced or the user says so. */
async function requireNewRun(input: CommandInput, runFolder: string): Promise<void> {
  const agreed = input.flag("replace") || input.flag("yes");
  const latest = join(placesOf(runFolder).checkpoints, "latest");
  if (!agreed && isInteractive()) await requireReplaceable(input, latest, "checkpoints of an earlier run", runFolder);
  else requireNoCheckpoints(runFolder, agreed);
}

/** Builds the run's corpus and shards, or finds them. */
async function prepareData(asked: RunConfiguration, signal: AbortSignal) {
  const { configuration, advice, warnings } = planContinuation(asked);
  if (configuration.continueFrom !== undefined) {
    say(
      `Model, weights and tokenizer of ${configuration.continueFrom}: the configuration's model and tokenizer do not apply`,
    );
    for (const line of advice) say(line);
    for (const line of warnings) say(`tilth: ${line}`);
  }
  const progress = progressLine();
  const corpus = await buildRunCorpus(configuration, { onEvent: progress.update, signal });
  progress.end();
  say(
    `Corpus: ${corpus.documents} documents (${formatBytes(corpus.bytes)}) read, ${corpus.kept} (${formatBytes(corpus.keptBytes)}) kept${corpus.reused ? ", as built before" : ""}`,
  );
  const shards = await tokenizeRun(configuration, corpus, { onEvent: progress.update, signal });
  progress.end();
  say(`Shards: ${formatCount(shards.tokens)} tokens of a vocabulary of ${shards.vocabularySize}`);
  return { corpus, shards };
}

/** As a new run up to its first step. Returns the run's folder, which `train --resume` then starts from. */
export async function prepareNew(input: CommandInput): Promise<string> {
  const configuration = await configurationOf(input);
  await requireNewRun(input, configuration.runFolder);
  const replace = true;
  if (isPairsRun(configuration)) {
    await preparePairsRun(configuration, { replace });
    return configuration.runFolder;
  }
  await prepareRun(configuration, await prepareData(configuration, interruptSignal("stopping")), { replace });
  return configuration.runFolder;
}

async function trainNew(input: CommandInput): Promise<void> {
  const configuration = await configurationOf(input);
  if (input.flag("dry-run")) {
    process.stdout.write(`${JSON.stringify(configuration, null, 2)}\n`);
    return;
  }
  await requireNewRun(input, configuration.runFolder);
  const signal = interruptSignal(stopping);
  if (isPairsRun(configuration)) return trainPairs(configuration, input.flag("json"), signal);
  const data = await prepareData(configuration, signal);
  const watch = watchTraining(configuration.training.steps, input.flag("json"));
  const { steps, checkpoint, parameters, forecast, memoryBytes, stepSeconds } = await trainRun(
    configuration,
    data,
    { replace: true },
    { onEvent: watch.listen, signal },
  );
  if (input.flag("json")) process.stdout.write(`${JSON.stringify({ kind: "measured", memoryBytes, stepSeconds })}\n`);
  say(
    [
      ...(forecast === null
        ? []
        : [
            `Forecast and measured: ${formatBytes(forecast.memoryBytes)} and ${formatBytes(memoryBytes)} of memory, ${forecast.stepSeconds.toPrecision(3)} and ${stepSeconds.toPrecision(3)} s a step`,
          ]),
      `The run is complete after ${steps} steps: a model of ${formatCount(parameters)} parameters in ${checkpoint}`,
      `Next: tilth eval ${checkpoint} --corpus ${configuration.runFolder}/corpus`,
    ].join("\n"),
  );
}

async function trainPairs(run: PairsRunConfiguration, json: boolean, signal: AbortSignal) {
  const watch = watchTraining(run.training.steps, json);
  const trained = await trainPairsRun(run, { replace: true }, { onEvent: watch.listen, signal });
  const { data, steps, parameters, checkpoint } = trained;
  say(
    [
      `The run is complete after ${steps} steps on ${data.train} pairs: a model of ${formatCount(parameters)} parameters in ${checkpoint}`,
      `Next: tilth eval ${checkpoint} --images ${run.images.path} --held-out ${run.runFolder}`,
    ].join("\n"),
  );
}
