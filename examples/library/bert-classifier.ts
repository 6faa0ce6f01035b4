/**
 * An encoder is pre-trained on text, then fine-tuned with few labels, beside the same model from random weights.
 *   node examples/library/bert-classifier.ts [folder of text] [labelled.csv] [test.csv] [run folder] [steps]
 */
import { adaptClassify, train } from "tilth";

const [
  folder = "examples/peps",
  labelled = "examples/banking77/train.csv",
  test = "examples/banking77/test.csv",
  runFolder = "runs/bert",
  steps = "300",
] = process.argv.slice(2);

const { checkpoint } = await train(
  {
    runFolder,
    corpus: {
      sources: [{ reader: "folder", path: folder }],
      settings: { licences: { accept: ["allow", "attribute", "review"] } },
    },
    tokenizer: { vocabularySize: 2048 },
    objective: { kind: "masked-token" },
    model: { architecture: "modernbert", layers: 3, width: 128, attentionHeads: 4 },
    training: {
      steps: Number(steps),
      sequenceLength: 128,
      schedule: { warmupSteps: Math.ceil(Number(steps) / 10) },
      validateEvery: Math.max(1, Math.ceil(Number(steps) / 5)),
    },
  },
  { replace: true },
);

for (const fromScratch of [false, true]) {
  const { report, output } = await adaptClassify({
    checkpoint,
    output: `${runFolder}/${fromScratch ? "from-scratch" : "classifier"}`,
    train: labelled,
    test,
    fields: { text: "text", label: "category" },
    fromScratch,
    settings: { epochs: 4 },
  });
  const { value, interval } = report.test!.accuracy;
  const [low, high] = interval.map((one) => `${(100 * one).toFixed(1)} %`);
  console.log(
    `${fromScratch ? "from scratch" : "pre-trained"}: ${(100 * value).toFixed(1)} % (${low} to ${high}): ${output}`,
  );
}
