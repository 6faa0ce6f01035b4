/** Learning text: documents by the objective of pre-training, or examples with losses on their responses. */
import type { Engine } from "../engine/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { chooseObjective, type ObjectiveBatch, type TextObjective, type TokenSource } from "../objectives/index.ts";
import type { AdaptationFigures } from "./guards/index.ts";
import type { AdaptationTask } from "./loop.ts";
import { type MaskedExample, type Pack, packedBatch } from "./packing.ts";

/** Rows to learn from. */
export interface LanguageExamples {
  readonly objective: TextObjective;
  readonly count: number;
  /** Their batch; what is random in it follows from `key`. */
  draw(rows: readonly number[], key: number): ObjectiveBatch;
}

/** Sequences of a stream of documents. */
export function documentExamples(model: LanguageModel, source: TokenSource, sequenceLength: number): LanguageExamples {
  const kind = model.architecture.family === "decoder" ? "next-token" : "masked-token";
  const { objective } = chooseObjective({ kind }, sequenceLength);
  return {
    objective,
    count: Math.floor((source.tokens - 1) / sequenceLength),
    draw: (rows, key) => objective.draw(source, rows, { sequenceLength, documentMask: true }, [key]),
  };
}

/** Packed examples with losses on some of their tokens; for decoders. */
export function responseExamples(
  examples: readonly MaskedExample[],
  packs: readonly Pack[],
  padding: number,
): LanguageExamples {
  const { objective } = chooseObjective({ kind: "next-token" }, 1);
  return {
    objective,
    count: packs.length,
    draw: (rows) =>
      packedBatch(
        examples,
        rows.map((row) => packs[row]),
        padding,
      ),
  };
}

const [together, most] = [8, 64];

/** Mean loss in nats a target over the first rows; the same masks at every pass. */
export async function languageLoss(engine: Engine, model: LanguageModel, given: LanguageExamples): Promise<number> {
  let [total, targets] = [0, 0];
  const count = Math.min(given.count, most);
  for (let first = 0; first < count; first += together) {
    const rows = Array.from({ length: Math.min(together, count - first) }, (_, i) => first + i);
    const batch = given.draw(rows, 2 ** 31 + first);
    targets += batch.targetCount;
    const losses = () => engine.scalar(given.objective.losses(engine, model, batch, 1)[0]);
    total += await engine.scope({ record: false }, losses);
  }
  return total / targets;
}

/** The task of the loop. `microBatchRows`: rows of one forward and backward pass. */
export function languageTask(
  engine: Engine,
  model: LanguageModel,
  train: LanguageExamples,
  validation: LanguageExamples,
  options: {
    readonly microBatchRows: number;
    dropout(key: number | undefined): void;
    extra(): Promise<AdaptationFigures>;
  },
): AdaptationTask {
  return {
    examples: train.count,
    async gradients(rows, key) {
      options.dropout(key);
      const batches: ObjectiveBatch[] = [];
      for (let first = 0; first < rows.length; first += options.microBatchRows) {
        batches.push({
          ...train.draw(rows.slice(first, first + options.microBatchRows), key + first),
          dropoutKey: key,
        });
      }
      const targets = batches.reduce((sum, batch) => sum + batch.targetCount, 0);
      let loss = 0;
      for (const batch of batches) {
        loss += await engine.scope({ record: true }, () => {
          const losses = train.objective.losses(engine, model, batch, targets);
          engine.backward(...losses);
          return engine.scalar(losses[0]);
        });
      }
      return loss;
    },
    async validate() {
      options.dropout(undefined);
      return {
        trainLoss: await languageLoss(engine, model, train),
        validationLoss: await languageLoss(engine, model, validation),
        ...(await options.extra()),
      };
    },
  };
}
