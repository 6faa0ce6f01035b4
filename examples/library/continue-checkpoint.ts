/**
 * An open checkpoint learns a domain: its tokenizer and weights are kept, some of what trained it is replayed.
 *   node examples/library/continue-checkpoint.ts <checkpoint or run> <folder of domain text> <general text to replay> [run folder] [steps]
 */
import { evaluate, train } from "tilth";

const [continueFrom, folder = "examples/peps", general, runFolder = "runs/continued", steps = "200"] =
  process.argv.slice(2);
if (continueFrom === undefined) {
  console.error("which checkpoint? Give a Hugging Face folder or a run: tilth quickstart makes one");
  process.exit(2);
}

const run = train(
  {
    runFolder,
    continueFrom,
    corpus: {
      sources: [{ reader: "folder", path: folder }],
      settings: { licences: { accept: ["allow", "attribute", "review"] } },
    },
    training: {
      steps: Number(steps),
      sequenceLength: 128,
      schedule: { warmupSteps: Math.ceil(Number(steps) / 20) },
      validateEvery: Math.max(1, Math.ceil(Number(steps) / 5)),
    },
    continuation: {
      // Half of the learning rate that the base was trained with.
      peakOfBase: 0.5,
      // Against forgetting: half of what it reads is general text.
      ...(general === undefined ? {} : { replay: { from: general, share: 0.5 } }),
    },
  },
  { replace: true },
);
for await (const event of run) {
  if (event.kind === "record" && event.record.kind === "validation")
    console.log(`step ${event.record.step}: domain loss ${event.record.loss.toFixed(3)}`);
}
const { checkpoint } = await run;

const { bitsPerByte } = await evaluate({ checkpoint, store: `${runFolder}/corpus`, window: 128, stride: 64 });
console.log(`held-out domain text: ${bitsPerByte.toFixed(3)} bits a byte; checkpoint: ${checkpoint}`);
