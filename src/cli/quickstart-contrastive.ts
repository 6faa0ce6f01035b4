/** `tilth quickstart --objective contrastive`: CLIP on a set of pictures with captions, and what it can do afterwards. */
import { join, resolve } from "node:path";
import { parsePairsRunConfiguration, runPresets, withPreset } from "../config/index.ts";
import { packageRoot } from "../foundation/index.ts";
import {
  evaluatePairsJob,
  keepEvaluation,
  measurePairsJob,
  readPairsFile,
  runJob,
  trainPairsRun,
} from "../jobs/index.ts";
import type { CommandInput } from "./command.ts";
import { beginQuickstart } from "./quickstart-options.ts";
import { formatCount, formatSeconds, say } from "./terminal.ts";
import { watchTraining } from "./training-progress.ts";

/** The picture set that a clone has. */
const example = () => join(packageRoot(), "examples", "emoji");

/** How its captions name a class, in one of two or three: "food & drink: cookie". */
const exampleTemplates = ["{class}:", "{class}"];

const percent = (value: number) => `${(value * 100).toFixed(1)} %`;

/** Trains and evaluates; prints a summary, and one JSON line with --json. */
export async function runContrastiveQuickstart(input: CommandInput): Promise<void> {
  const quickstart = beginQuickstart(input);
  const { seconds, seed, device: asked, runFolder, signal } = quickstart;
  const own = input.text("images");
  const images = { path: own === undefined ? example() : resolve(own), background: "#ffffff" };
  const preset = "clip-tiny";
  const { vocabularySize = runPresets[preset].tokenizer.vocabularySize } = quickstart;
  say(`Tilth quickstart, contrastive: about ${formatSeconds(seconds)} of training. Run folder: ${runFolder}`);

  say("1. Machine");
  const planned = (steps: number, more: object = {}) =>
    parsePairsRunConfiguration(
      withPreset({
        ...{ preset, runFolder, images, device: asked, tokenizer: { vocabularySize } },
        training: { seed, steps, ...more },
      }),
      "the quickstart",
    );
  const { model, training } = planned(200);
  const { architecture, ...configuration } = model;
  const machine = await runJob(
    measurePairsJob,
    {
      ...{ device: asked, model: { architecture, configuration }, training, vocabularySize, textLength: 12 },
      seconds: Math.min(4, seconds / 10),
    },
    { onEvent: ({ warning }) => say(`tilth: ${warning}`) },
  );
  const device = { ...asked, backend: machine.backend, precision: machine.precision };
  // Below some 300 steps little is learned: a slow or busy machine takes longer than asked.
  const fewestSteps = Math.max(10, Math.min(300, Math.round((150 * seconds) / 60)));
  const steps = Math.max(fewestSteps, Math.round((machine.pairsPerSecond * seconds) / training.batchPairs));
  say(
    `   ${machine.description}: ${formatCount(machine.pairsPerSecond)} pairs/s, so ${steps} steps of ${training.batchPairs} pairs`,
  );

  say(`2. Pictures, captions, training: ${images.path}`);
  const watch = watchTraining(steps, false);
  const run = planned(steps, {
    schedule: { warmupSteps: Math.min(20, steps >> 2) },
    validateEvery: Math.max(20, Math.ceil(steps / 6)),
    checkpointEvery: Math.max(50, Math.ceil(steps / 3)),
  });
  const trained = await trainPairsRun(
    { ...run, device },
    { replace: true, peakFlops: machine.peakFlops },
    { onEvent: watch.listen, signal },
  );
  const figures = watch.figures();

  say("3. Evaluation on what was held out");
  const found = await runJob(
    evaluatePairsJob,
    {
      checkpoint: trained.checkpoint,
      ...{ images, names: readPairsFile(runFolder).test },
      // The checkpoint is f32: it is scored as others will load it.
      device: { ...device, precision: "f32" as const },
      ...(own === undefined ? { templates: exampleTemplates } : {}),
    },
    { signal },
  );
  keepEvaluation(trained.checkpoint, { name: "images", settings: { heldOut: true }, result: found }, say);
  const { imageToText, textToImage, zeroShot } = found;
  const result = {
    pairs: trained.data.train,
    heldOutPairs: found.pairs,
    skipped: trained.data.skipped,
    damaged: trained.data.damaged,
    parameters: trained.parameters,
    steps,
    pairsPerSecond: machine.pairsPerSecond,
    mfu: figures.mfu,
    imageToTextRecallAt1: imageToText.recallAt1,
    imageToTextInterval: imageToText.interval,
    textToImageRecallAt1: textToImage.recallAt1,
    textToImageInterval: textToImage.interval,
    chance: imageToText.chance,
    zeroShotAccuracy: zeroShot?.accuracy.value ?? null,
    zeroShotInterval: zeroShot?.accuracy.interval ?? null,
    zeroShotChance: zeroShot?.chance ?? null,
    checkpoint: trained.checkpoint,
  };
  const recall = (name: string, one: typeof imageToText) =>
    `  ${name.padEnd(16)} recall@1 ${percent(one.recallAt1)} (95 %: ${one.interval.map(percent).join(" to ")}), @5 ${percent(one.recallAt5)}, @10 ${percent(one.recallAt10)}; chance @1 ${percent(one.chance)}, ${(one.recallAt1 / one.chance).toFixed(0)} times`;
  quickstart.end(
    [
      `Held-out pairs: ${found.pairs}, none of a group, caption or picture that was trained on`,
      recall("image to text", imageToText),
      recall("text to image", textToImage),
      zeroShot === null
        ? '  zero-shot        not measured: the set names no classes (class folders, or "class" in captions.jsonl)'
        : `  zero-shot        ${percent(zeroShot.accuracy.value)} of ${zeroShot.classes.length} classes (95 %: ${zeroShot.accuracy.interval.map(percent).join(" to ")}), mean over classes; chance ${percent(zeroShot.chance)}`,
      "",
      `Checkpoint: ${trained.checkpoint} (a Hugging Face folder: CLIPModel)`,
      "Next:",
      "  npx tilth quickstart --objective contrastive --images <your pictures with captions>",
      `  npx tilth eval ${trained.checkpoint} --images <other pictures with captions>`,
    ],
    result,
    trained.peakRssBytes,
  );
}
