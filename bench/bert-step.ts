/** One masked-token step of a BERT on random tokens, beside transformers'. */
import { createBackend } from "../src/engine/index.ts";
import { Random } from "../src/foundation/index.ts";
import { bert, modelPreset } from "../src/models/index.ts";
import { chooseObjective } from "../src/objectives/index.ts";
import { Trainer, trainingConfiguration } from "../src/training/index.ts";
import { askedSettings, type BenchmarkLine, compare, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { timed, torchSettings } from "./step.ts";

/** Tokens of a sequence: the length of nine in ten of BERT's own steps. */
const length = 128;
/** BERT's share of hidden tokens. */
const rate = 0.15;
/** A BERT of the quickstart's size. */
const quickstart = { layers: 4, width: 192, attentionHeads: 6, context: length };
/** Sequences of a step: small enough for the memory of two cores. */
const sequencesOf: Readonly<Record<string, number>> = { "bert-base": 16, "bert-large": 8 };

export async function bertStep(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const name = options.preset ?? "bert-base";
  const sequences = sequencesOf[name] ?? 16;
  const sizes = name === "quickstart" ? quickstart : modelPreset(name).configuration;
  const vocabularySize = 30_522;
  const configuration = bert.schema.parse({ ...sizes, vocabularySize });
  const backend = await createBackend("cpu", { precision: options.precision });
  const peakFlops = backend.measurePeakFlops();
  const training = trainingConfiguration.parse({
    ...{ steps: 10_000, sequenceLength: length, batchSequences: sequences, microBatchSequences: sequences },
  });
  const { objective } = chooseObjective({ kind: "masked-token", rate }, length);
  const trainer = new Trainer(backend, bert as never, configuration, training, objective);
  const random = new Random(1);
  const tokens = Int32Array.from({ length: sequences * length }, () => random.below(vocabularySize));
  const rows = Int32Array.from(tokens.keys()).filter(() => random.uniform() < rate);
  const targets = Int32Array.from(rows, (row) => tokens[row]);
  const batch = { sequences, length, tokens, rows, targets, targetCount: targets.length };
  await trainer.takeStepOn([batch]);
  await trainer.takeStepOn([batch]);
  const settings = torchSettings("bert_step.py", { ...configuration, length, sequences, rate }, backend);
  const step = timed(() => trainer.takeStepOn([batch]));
  const comparison = await compare(step, askedSettings(settings, options), options.repetitions, options.warn);
  const { median } = comparison.tilth;
  const line = lineOf(
    comparison,
    {
      name: "bert-step",
      config: `${name}: ${(bert.dimensions(configuration).parameters / 1e6).toFixed(0)}M parameters, ${sequences} × ${length}, ${backend.description}`,
      unit: "seconds a step",
      peerName: "transformers",
      shareOfPeak: (trainer.flopsPerToken() * tokens.length) / median / peakFlops,
    },
    { tokensPerSecond: tokens.length / median },
  );
  trainer.dispose();
  backend.dispose();
  return line;
}
