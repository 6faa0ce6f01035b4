/**
 * A language model of your own notes.
 *   node examples/library/pretrain-notes.ts <folder of text> [run folder] [steps]
 */
import { defineRun, loadModel, train } from "tilth";

const [folder = "examples/peps", runFolder = "runs/notes", steps = "300"] = process.argv.slice(2);

const run = train(
  defineRun({
    runFolder,
    corpus: {
      sources: [{ reader: "folder", path: folder }],
      // Your own text needs no licence file.
      settings: { licences: { accept: ["allow", "attribute", "review"] } },
    },
    tokenizer: { vocabularySize: 1024 },
    model: { architecture: "llama", layers: 4, width: 192, attentionHeads: 6 },
    training: {
      steps: Number(steps),
      sequenceLength: 128,
      schedule: { warmupSteps: Math.min(30, Math.ceil(Number(steps) / 10)) },
      validateEvery: Math.max(1, Math.ceil(Number(steps) / 5)),
      samples: { prompts: ["The "], tokens: 30 },
    },
  }),
  { replace: true },
);

// What happens on the way: progress of the corpus, then the run's records.
for await (const event of run) {
  if (event.kind !== "record") continue;
  const { record } = event;
  if (record.kind === "validation") console.log(`step ${record.step}: validation loss ${record.loss.toFixed(3)}`);
  if (record.kind === "sample") console.log(`  ${record.prompt}${record.text}`);
}
const { checkpoint } = await run;
console.log(`checkpoint: ${checkpoint}`);

// The checkpoint is a Hugging Face folder; here it is asked by the library itself.
const model = await loadModel(checkpoint);
for await (const text of model.generate("This document ", { maximumTokens: 40, temperature: 0.8 }))
  process.stdout.write(text);
process.stdout.write("\n");
await model.close();
