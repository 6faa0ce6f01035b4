/**
 * Pictures and captions in one space: a folder of pictures with captions.jsonl, or a folder for each class.
 *   node examples/library/clip-pictures.ts [folder of pictures] [run folder] [steps]
 */
import { evaluateImages, readPairsFile, train } from "tilth";

const [pictures = "examples/emoji", runFolder = "runs/clip", steps = "200"] = process.argv.slice(2);

const run = train(
  {
    preset: "clip-tiny",
    runFolder,
    images: { path: pictures },
    training: {
      steps: Number(steps),
      schedule: { kind: "cosine", warmupSteps: Math.ceil(Number(steps) / 20), finalShare: 0.02 },
    },
  },
  { replace: true },
);
for await (const event of run) {
  if (event.kind === "record" && event.record.kind === "validation")
    console.log(`step ${event.record.step}: validation loss ${event.record.loss.toFixed(3)}`);
}
const { checkpoint } = await run;

// Only the pictures that were set aside for this.
const { test } = readPairsFile(runFolder);
const found = await evaluateImages({ checkpoint, images: { path: pictures }, names: test });
const line = ({ recallAt1, chance }: { recallAt1: number; chance: number }) =>
  `${(100 * recallAt1).toFixed(1)} % (chance ${(100 * chance).toFixed(1)} %)`;
console.log(
  `of ${found.pairs} pictures: image to text ${line(found.imageToText)}, text to image ${line(found.textToImage)}`,
);
