import { join } from "node:path";
import { parseRunConfiguration } from "../config/index.ts";
import { UsageError } from "../foundation/index.ts";
import {
  buildRunCorpus,
  evaluateJob,
  generateJob,
  keepEvaluation,
  measureJob,
  placesOf,
  runJob,
  tokenizeRun,
  trainRun,
} from "../jobs/index.ts";
import { llama } from "../models/index.ts";
import { chooseModel } from "../training/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { isInteractive, requireReplaceable } from "./questions.ts";
import { runContrastiveQuickstart } from "./quickstart-contrastive.ts";
import { corpusSource } from "./quickstart-corpus.ts";
import { runMaskedQuickstart } from "./quickstart-masked.ts";
import { beginQuickstart } from "./quickstart-options.ts";
import { formatBytes, formatCount, formatFlops, formatSeconds, say } from "./terminal.ts";
import { watchTraining } from "./training-progress.ts";

const sequenceLength = 256;

/** Prompts that this kind of text knows: a README, code, a sentence. */
const samplePrompts = ["## Installation\n\n", "export function ", "The following options"];

export const quickstart: Command = {
  summary: "a corpus already on this machine, curated, learned and sampled in a few minutes",
  usage: "[options]",
  options: {
    minutes: { describe: "minutes of training", placeholder: "number", initial: "2" },
    corpus: { describe: "your own folder of text instead of the installed packages", placeholder: "folder" },
    objective: {
      describe: "next-token, masked-token (a small ModernBERT), or contrastive: CLIP on pictures with captions",
      placeholder: "name",
      initial: "next-token",
    },
    images: { describe: "contrastive: your own pictures with captions instead of the example", placeholder: "folder" },
    run: {
      describe: "the run's folder; an older quickstart there is replaced, on a terminal after a question",
      placeholder: "folder",
      initial: "runs/quickstart",
    },
    vocabulary: {
      describe: "tokens of the vocabulary: 4096 for text and 600 for captions if left out",
      placeholder: "count",
    },
    seed: { describe: "of initial weights and data order", placeholder: "number", initial: "1" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    threads: { describe: "threads to use", placeholder: "count" },
    precision: { describe: "of matrix products: f32, bf16 or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object as the last line" },
  },
  examples: [
    "tilth quickstart",
    "tilth quickstart --minutes 10 --corpus ~/notes",
    "tilth quickstart --objective masked-token",
    "tilth quickstart --json | tail -n 1",
  ],
  run: runQuickstart,
};

async function runQuickstart(input: CommandInput): Promise<void> {
  const objective = input.choice("objective", ["next-token", "masked-token", "contrastive"]);
  if (isInteractive()) {
    const run = input.text("run")!;
    await requireReplaceable(input, join(run, "checkpoints", "latest"), "checkpoints of an earlier run", run);
  }
  if (objective === "contrastive") {
    if (input.text("corpus") !== undefined) {
      throw new UsageError("--corpus belongs to the objectives of text", { remedy: "Pictures: --images <folder>" });
    }
    return runContrastiveQuickstart(input);
  }
  if (input.text("images") !== undefined) throw new UsageError("--images belongs to --objective contrastive");
  if (objective === "masked-token") return runMaskedQuickstart(input);
  const quickstart = beginQuickstart(input);
  const { seconds, seed, vocabularySize = 4096, device: askedDevice, runFolder, signal, progress } = quickstart;
  const places = placesOf(runFolder);

  say(
    `Tilth quickstart: about ${formatSeconds(seconds)} of training, some two minutes around it. Run folder: ${runFolder}`,
  );
  say("1. Corpus");
  const own = input.text("corpus");
  const settings = {
    runFolder,
    corpus: {
      sources: [corpusSource(own)],
      // The owner of a folder may train on it without a licence file; packages need a licence that allows it.
      settings: own === undefined ? {} : { licences: { accept: ["allow", "attribute", "review"] } },
    },
    tokenizer: { vocabularySize },
  };
  // The model is chosen when the machine is measured; until then any will do.
  const planned = parseRunConfiguration(
    { ...settings, model: { layers: 1, width: 32, attentionHeads: 1 }, training: { steps: 100 } },
    "the quickstart",
  );
  const corpus = await buildRunCorpus(planned, { onEvent: progress.update, signal });
  progress.end();
  say(
    `   ${corpus.documents} documents (${formatBytes(corpus.bytes)}) read, ${corpus.kept} (${formatBytes(corpus.keptBytes)}) kept${corpus.reused ? ", as built before" : ""}`,
  );

  say("2. Tokenizer");
  const shards = await tokenizeRun(planned, corpus, { onEvent: progress.update, signal });
  progress.end();
  say(
    `   ${shards.vocabularySize} tokens in the vocabulary, ${shards.bytesPerToken.toFixed(2)} bytes a token, ${formatCount(shards.tokens)} tokens to train on`,
  );

  say("3. Model");
  const machine = await runJob(
    measureJob,
    { device: askedDevice },
    { onEvent: ({ warning }) => say(`tilth: ${warning}`) },
  );
  // Whatever `auto` became: the run's later stages, and its resumption, compute on the same.
  const device = { ...askedDevice, backend: machine.backend, precision: machine.precision };
  const configuration = chooseModel(machine.peakFlops, seconds, {
    vocabularySize: shards.vocabularySize,
    context: sequenceLength,
  });
  const { vocabularySize: _, ...sizes } = configuration;
  const training = {
    sequenceLength,
    learningRate: 4e-3,
    // Without native products, orthogonalising costs more than it brings.
    optimizer: { kind: machine.backend === "reference" ? "adamw" : "muon" },
    validationSequences: 64,
    seed,
  };
  const { tokensPerSecond } = await runJob(measureJob, {
    device,
    model: {
      architecture: "llama",
      configuration,
      training: { ...training, batchSequences: 16, steps: 100 },
      seconds: Math.min(3, seconds / 10),
    },
  });
  // Sequences of a step: fewer where the budget would not bring enough steps.
  const sequencesInBudget = (seconds * (tokensPerSecond ?? 0)) / sequenceLength;
  const batchSequences = [16, 8, 4, 2].find((count) => sequencesInBudget / count >= 300) ?? 1;
  const steps = Math.max(20, Math.floor(sequencesInBudget / batchSequences));
  const { parameters } = llama.dimensions(configuration);
  say(`   ${machine.description}, peak ${formatFlops(machine.peakFlops)}`);
  say(
    `   Llama with ${formatCount(parameters)} parameters: ${configuration.layers} layers, ${configuration.width} wide; ${formatCount(tokensPerSecond ?? 0)} tokens/s, so ${steps} steps`,
  );

  say("4. Training");
  const run = parseRunConfiguration(
    {
      ...settings,
      device,
      model: { architecture: "llama", ...sizes },
      training: {
        ...training,
        batchSequences,
        microBatchSequences: Math.min(8, batchSequences),
        steps,
        schedule: {
          kind: "warmup-stable-decay",
          warmupSteps: Math.min(30, Math.floor(steps / 10)),
          decayShare: 0.4,
          finalShare: 0.05,
        },
        validateEvery: Math.max(50, Math.ceil(steps / 8)),
        checkpointEvery: Math.max(100, Math.ceil(steps / 3)),
        samples: { prompts: samplePrompts },
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
  const figures = watch.figures();

  // The checkpoint is f32: it is scored and sampled as others will load it.
  const exact = { ...device, precision: "f32" as const };
  say("5. Evaluation");
  const evaluation = await runJob(
    evaluateJob,
    {
      checkpoint: trained.checkpoint,
      store: places.corpus,
      device: exact,
      window: sequenceLength,
      stride: sequenceLength / 2,
      baselines: true,
    },
    { onEvent: progress.update, signal },
  );
  progress.end();
  keepEvaluation(
    trained.checkpoint,
    { name: "bits per byte", settings: { corpus: places.corpus }, result: evaluation },
    say,
  );
  const samples = await runJob(
    generateJob,
    {
      checkpoint: trained.checkpoint,
      device: exact,
      prompts: samplePrompts,
      maximumTokens: 60,
      temperature: 0.7,
      topP: 0.95,
      topK: 0,
      seed,
    },
    { signal },
  );
  const baselines = evaluation.baselines!;
  const result = {
    documents: corpus.documents,
    kept: corpus.kept,
    rejectedByReason: corpus.rejectedByReason,
    tokens: shards.tokens,
    parameters,
    steps,
    tokensPerSecond: figures.tokensPerSecond,
    mfu: figures.mfu,
    validationBitsPerByte: evaluation.bitsPerByte,
    baselines,
    checkpoint: trained.checkpoint,
  };
  const rejected = Object.entries(corpus.rejectedByReason).sort(([, a], [, b]) => b - a);
  const row = (name: string, value: number) => `  ${name.padEnd(22)} ${value.toFixed(3)}`;
  quickstart.end(
    [
      "Summary",
      `  Read ${corpus.documents} documents; kept ${corpus.kept}. Rejected most often for:`,
      ...rejected.slice(0, 5).map(([reason, count]) => `    ${String(count).padStart(5)}  ${reason}`),
      "  Licences of what was kept, by bytes:",
      ...corpus.licences
        .slice(0, 6)
        .map(
          ({ decision, expression, share }) =>
            `    ${(share * 100).toFixed(1).padStart(5)} %  ${expression} (${decision})`,
        ),
      `  Model: ${formatCount(parameters)} parameters, ${steps} steps, ${formatCount(figures.tokensPerSecond)} tokens/s, ${figures.mfu === null ? "–" : (figures.mfu * 100).toFixed(0)} % of the machine's peak`,
      `  Loss: ${[figures.firstLoss, ...figures.validations.map(({ loss }) => loss)].map((loss) => loss.toFixed(2)).join(" → ")} (first step, then validation; nats a token)`,
      "",
      `Bits per byte on ${formatBytes(evaluation.bytes)} of held-out text (lower is better)`,
      row("this model", evaluation.bitsPerByte),
      row("5-gram (Kneser–Ney)", baselines.ngram5),
      row("brotli -11", baselines.brotli),
      row("gzip -9", baselines.gzip),
      "",
      "Samples",
      ...samples.map(({ prompt, text }) => `  | ${(prompt + text).trimEnd().split("\n").join("\n  | ")}\n`),
      `Checkpoint: ${trained.checkpoint} (a Hugging Face folder)`,
      `Data report: ${join(places.report, "report.html")}`,
      "Next:",
      `  npx tilth generate ${trained.checkpoint} --prompt "## Usage"`,
      `  npx tilth ui ${runFolder}        (curves, samples, report and lineage on a local page)`,
      `  npx tilth data why <id or path> --corpus ${places.corpus}`,
      `  npx tilth quickstart --minutes 10 --corpus <a folder of your text>`,
    ],
    result,
    trained.peakRssBytes,
  );
}
