/** `tilth quickstart --objective masked-token`: a small ModernBERT on the quickstart's corpus, and what it has understood. */
import { parseRunConfiguration } from "../config/index.ts";
import {
  buildRunCorpus,
  evaluateMaskedJob,
  keepEvaluation,
  measureJob,
  placesOf,
  runJob,
  tokenizeRun,
  trainRun,
} from "../jobs/index.ts";
import { modernBert } from "../models/index.ts";
import type { CommandInput } from "./command.ts";
import { corpusSource } from "./quickstart-corpus.ts";
import { beginQuickstart } from "./quickstart-options.ts";
import { formatBytes, formatCount, formatFlops, formatSeconds, say } from "./terminal.ts";
import { watchTraining } from "./training-progress.ts";

const sequenceLength = 128;

// 30 % instead of 15 %: twice the signal a step, as ModernBERT.
const objective = { kind: "masked-token", rate: 0.3 };

/**
 * Sizes where native kernels run, and on the reference backend. ModernBERT, since rotary positions say from the start who is whose
 * neighbour, what learned ones must find out: docs/objectives.md has the figures.
 */
const sizes = {
  cpu: { layers: 4, width: 192, attentionHeads: 6, mlpWidth: 512 },
  reference: { layers: 2, width: 64, attentionHeads: 2, mlpWidth: 176 },
} as const;

/** Runs it and prints the summary; with `--json`, one object as the last line. */
export async function runMaskedQuickstart(input: CommandInput): Promise<void> {
  const quickstart = beginQuickstart(input);
  const { seconds, seed, vocabularySize = 4096, device: asked, runFolder, signal, progress } = quickstart;
  const places = placesOf(runFolder);
  const hooks = { onEvent: progress.update, signal };
  const own = input.text("corpus");

  say(`Tilth quickstart, masked tokens: about ${formatSeconds(seconds)} of training. Run folder: ${runFolder}`);
  const machine = await runJob(measureJob, { device: asked }, { onEvent: ({ warning }) => say(`tilth: ${warning}`) });
  const device = { ...asked, backend: machine.backend, precision: machine.precision };
  const model = {
    architecture: "modernbert",
    activation: "silu",
    ...(machine.backend === "reference" ? sizes.reference : sizes.cpu),
  };
  const training = {
    ...{ sequenceLength, batchSequences: 32, microBatchSequences: 16, learningRate: 4e-3, seed },
    optimizer: { kind: machine.backend === "reference" ? "adamw" : "muon" },
  };
  const settings = {
    ...{ runFolder, device, model, objective, tokenizer: { vocabularySize } },
    corpus: {
      sources: [corpusSource(own)],
      settings: own === undefined ? {} : { licences: { accept: ["allow", "attribute", "review"] } },
    },
  };
  const planned = parseRunConfiguration({ ...settings, training: { ...training, steps: 100 } }, "the quickstart");

  say("1. Corpus");
  const corpus = await buildRunCorpus(planned, hooks);
  progress.end();
  say(`   ${corpus.documents} documents read, ${corpus.kept} (${formatBytes(corpus.keptBytes)}) kept`);
  say("2. Tokenizer");
  const shards = await tokenizeRun(planned, corpus, hooks);
  progress.end();
  say(`   ${shards.vocabularySize} tokens, <mask> among them; ${formatCount(shards.tokens)} tokens to train on`);

  say("3. Model");
  const configuration = modernBert.schema.parse({
    ...withoutName(model),
    context: sequenceLength,
    vocabularySize: shards.vocabularySize,
  });
  const { parameters } = modernBert.dimensions(configuration);
  const { tokensPerSecond } = await runJob(measureJob, {
    device,
    model: {
      ...{ architecture: "modernbert", configuration, objective, seconds: Math.min(3, seconds / 10) },
      training: { ...training, steps: 100 },
    },
  });
  // Below some 600 steps little is learned: a slow or busy machine takes longer than asked.
  const fewestSteps = Math.max(20, Math.min(600, Math.round((300 * seconds) / 60)));
  const affordable = Math.floor((seconds * (tokensPerSecond ?? 0)) / (32 * sequenceLength));
  const steps = machine.backend === "reference" ? Math.max(20, affordable) : Math.max(fewestSteps, affordable);
  say(`   ${machine.description}, peak ${formatFlops(machine.peakFlops)}`);
  say(
    `   ModernBERT with ${formatCount(parameters)} parameters; ${formatCount(tokensPerSecond ?? 0)} tokens/s, so ${steps} steps`,
  );

  say("4. Training");
  const warmupSteps = Math.min(60, Math.floor(steps / 10));
  const run = parseRunConfiguration(
    {
      ...settings,
      training: {
        ...{ ...training, steps },
        schedule: { kind: "warmup-stable-decay", warmupSteps, decayShare: 0.4, finalShare: 0.05 },
        validateEvery: Math.max(50, Math.ceil(steps / 6)),
        checkpointEvery: Math.max(100, Math.ceil(steps / 3)),
      },
    },
    "the quickstart",
  );
  const watch = watchTraining(steps, false);
  const trained = await trainRun(
    run,
    { corpus, shards },
    { replace: true, peakFlops: machine.peakFlops },
    { onEvent: watch.listen, signal },
  );
  progress.end();

  say("5. Evaluation");
  const evaluation = await runJob(
    evaluateMaskedJob,
    {
      ...{ checkpoint: trained.checkpoint, shards: places.shards, sequenceLength, sequences: 256, seed },
      // The checkpoint is f32, and BERT's share of hidden tokens is what others report.
      ...{ device: { ...device, precision: "f32" as const }, objective: { kind: "masked-token" } },
    },
    hooks,
  );
  progress.end();
  keepEvaluation(trained.checkpoint, { name: "masked tokens", settings: {}, result: evaluation }, say);
  const percent = (share: number) => `${(100 * share).toFixed(1).padStart(5)} %`;
  const result = {
    ...{ documents: corpus.documents, kept: corpus.kept, tokens: shards.tokens, parameters, steps },
    ...{ tokensPerSecond: watch.figures().tokensPerSecond, ...evaluation, checkpoint: trained.checkpoint },
  };
  quickstart.end(
    [
      `Hidden tokens of held-out text guessed right (15 % hidden, ${evaluation.targets} of them)`,
      `  this model             ${percent(evaluation.maskedAccuracy)}`,
      `  most frequent token    ${percent(evaluation.unigramAccuracy)}`,
      "",
      `Linear probe: is a passage as it was written, or were neighbouring tokens swapped? (${evaluation.probePassages} held-out passages, half of them swapped)`,
      `  this model             ${percent(evaluation.probeAccuracy)}`,
      `  the same, untrained    ${percent(evaluation.probeAccuracyRandomInit)}`,
      `  bag of words           ${percent(evaluation.probeAccuracyBagOfWords)}`,
      "",
      `Checkpoint: ${trained.checkpoint} (a Hugging Face folder, ModernBertForMaskedLM)`,
    ],
    result,
    trained.peakRssBytes,
  );
}

function withoutName({ architecture: _, ...sizes }: { architecture: string }): object {
  return sizes;
}
