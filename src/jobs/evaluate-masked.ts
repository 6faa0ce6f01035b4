/** What a masked-token checkpoint knows: hidden tokens of held-out text, and a probe of its representations. */
import { join } from "node:path";
import { Engine } from "../engine/index.ts";
import {
  bagsOfWords,
  type LabelledFeatures,
  linearProbe,
  representationsOf,
  type WordOrderExamples,
  wordOrderExamples,
} from "../evaluation/index.ts";
import { openMegatronShard } from "../formats/index.ts";
import type { Progress } from "../foundation/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { chooseObjective, likeliestTokens } from "../objectives/index.ts";
import { TokenStream } from "../training/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";
import { vocabularyOf } from "./vocabulary.ts";

export interface EvaluateMaskedInput {
  readonly checkpoint: string;
  /** Folder of `train` and `validation` token shards. */
  readonly shards: string;
  readonly device: DeviceOptions;
  readonly objective: { readonly kind: string };
  /** Tokens. */
  readonly sequenceLength: number;
  /** Held-out sequences whose tokens are hidden. */
  readonly sequences: number;
  readonly seed: number;
}

/** Accuracies are shares; all on held-out documents. */
export interface EvaluateMaskedOutput {
  readonly maskedAccuracy: number;
  /** Of always guessing the most frequent token of the training documents, on the same hidden tokens. */
  readonly unigramAccuracy: number;
  readonly targets: number;
  /** Telling passages as written from passages with swapped neighbours (see word-order.ts). */
  readonly probeAccuracy: number;
  readonly probeAccuracyRandomInit: number;
  readonly probeAccuracyBagOfWords: number;
  readonly probePassages: number;
}

const passageLength = 24;

export const evaluateMaskedJob: Job<EvaluateMaskedInput, Progress, EvaluateMaskedOutput> = {
  name: "evaluate-masked",
  async run(input, { emit }) {
    const backend = await openDevice(input.device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      const { endOfText } = tokenizer;
      const { vocabularySize } = model.architecture.dimensions(model.configuration);
      const stream = new TokenStream(join(input.shards, "validation"), vocabularyOf(tokenizer));
      const masked = await maskedAccuracy(engine, model, stream, input, emit);
      stream.close();
      // Probes are fitted on some held-out documents and tested on others.
      const documents = documentsOf(join(input.shards, "validation"), endOfText);
      const part = (which: number, limit: number): WordOrderExamples =>
        wordOrderExamples(
          documents.filter((_, i) => Number(i % 3 === 0) === which),
          { length: passageLength, swaps: 8, limit, seed: input.seed },
        );
      const [train, test] = [part(0, 3000), part(1, 1500)];
      const probe = async (featuresOf: (one: WordOrderExamples) => Promise<LabelledFeatures>) =>
        linearProbe(await featuresOf(train), await featuresOf(test), { decay: 1e-2 }).accuracy;
      const embed =
        (of: LanguageModel) =>
        async ({ passages, labels }: WordOrderExamples) => {
          const options = { pooling: "mean" as const, normalize: false, onProgress: emit };
          const { vectors, width } = await representationsOf(engine, of, passages, endOfText, options);
          return { features: vectors, width, labels };
        };
      const untrained = model.architecture.create(new Engine(backend), model.configuration);
      untrained.arena.initialize(input.seed);
      const { hidden, ...accuracy } = masked;
      return {
        ...accuracy,
        unigramAccuracy: unigramAccuracy(join(input.shards, "train"), hidden, vocabularySize, endOfText),
        probeAccuracy: await probe(embed(model)),
        probeAccuracyRandomInit: await probe(embed(untrained)),
        probeAccuracyBagOfWords: await probe(async ({ passages, labels }) => ({
          features: bagsOfWords(passages, vocabularySize),
          width: vocabularySize,
          labels,
        })),
        probePassages: test.labels.length,
      };
    } finally {
      backend.dispose();
    }
  },
};

async function maskedAccuracy(
  engine: Engine,
  model: LanguageModel,
  stream: TokenStream,
  { objective: settings, sequenceLength, sequences, seed }: EvaluateMaskedInput,
  emit: (progress: Progress) => void,
) {
  const { objective } = chooseObjective(settings, sequenceLength);
  const count = Math.min(sequences, stream.requireSequences(sequenceLength));
  const hidden: number[] = [];
  let correct = 0;
  for (let first = 0; first < count; first += 16) {
    const some = Array.from({ length: Math.min(16, count - first) }, (_, i) => first + i);
    const batch = objective.draw(stream, some, { sequenceLength, documentMask: true }, [seed, 0]);
    const likeliest = await engine.scope({ record: false }, () =>
      likeliestTokens(engine, model.forward(engine, batch)),
    );
    correct += likeliest.filter((token, row) => token === batch.targets[row]).length;
    for (const target of batch.targets) hidden.push(target);
    emit({ stage: "hidden tokens", done: first + some.length, total: count, unit: "sequences" });
  }
  return { maskedAccuracy: correct / hidden.length, targets: hidden.length, hidden };
}

function unigramAccuracy(prefix: string, hidden: readonly number[], vocabularySize: number, endOfText: number): number {
  const counts = new Float64Array(vocabularySize);
  for (const document of documentsOf(prefix, endOfText)) for (const token of document) counts[token] += 1;
  const likeliest = counts.indexOf(Math.max(...counts));
  return hidden.filter((token) => token === likeliest).length / hidden.length;
}

/** The documents of a shard, without their end-of-text tokens. */
function documentsOf(prefix: string, endOfText: number): Int32Array[] {
  const shard = openMegatronShard(prefix);
  try {
    const all = shard.readRange(0, shard.tokens);
    const documents: Int32Array[] = [];
    for (let start = 0; start < all.length; ) {
      const end = all.indexOf(endOfText, start);
      documents.push(all.slice(start, end === -1 ? all.length : end));
      start = (end === -1 ? all.length : end) + 1;
    }
    return documents;
  } finally {
    shard.close();
  }
}
