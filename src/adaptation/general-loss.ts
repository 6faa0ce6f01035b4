/** Loss on general text: what the model could before, in nats a target, by the objective that its kind is pre-trained with. */
import type { Engine } from "../engine/index.ts";
import { TilthError } from "../foundation/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { chooseObjective, type TokenSource, type Vocabulary } from "../objectives/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";

/** Texts as one stream, each between end-of-text tokens: what an objective draws from. */
export function textSource(tokenizer: Tokenizer, texts: readonly string[]): TokenSource {
  const parts = tokenizer.encodeBatch(texts);
  const stream = Int32Array.from([tokenizer.endOfText, ...parts.flatMap((ids) => [...ids, tokenizer.endOfText])]);
  return {
    tokens: stream.length,
    vocabulary: vocabularyOf(tokenizer),
    read: (start, count) => stream.subarray(start, start + count),
  };
}

/** What objectives know of a tokenizer; whole words are not told apart. */
export function vocabularyOf(tokenizer: Tokenizer): Vocabulary {
  const { vocabularySize: size, endOfText, specialTokens } = tokenizer;
  return { size, endOfText, specialTokens, startsWord: () => true };
}

/** Sequences of one measurement, and of one forward pass. */
const [most, together] = [64, 8];

/** Measures a model again and again on the same sequences, with the same masks. Throws TilthError where the text is too short. */
export function generalLossOf(model: LanguageModel, source: TokenSource): (engine: Engine) => Promise<number> {
  const { context } = model.architecture.dimensions(model.configuration);
  const length = Math.min(context, 128, source.tokens - 1);
  const sequences = Math.min(most, Math.floor((source.tokens - 1) / Math.max(1, length)));
  if (length < 8) {
    throw new TilthError(`the general text has ${source.tokens} tokens; at least 9 are needed`, {
      remedy: "Give --general a longer text, or leave it out.",
    });
  }
  const kind = model.architecture.family === "decoder" ? "next-token" : "masked-token";
  const { objective } = chooseObjective({ kind }, length);
  return async (engine) => {
    let [total, targets] = [0, 0];
    for (let first = 0; first < sequences; first += together) {
      const indices = Array.from({ length: Math.min(together, sequences - first) }, (_, i) => first + i);
      const batch = objective.draw(source, indices, { sequenceLength: length, documentMask: true }, [1, 2 ** 32]);
      targets += batch.targetCount;
      total += await engine.scope({ record: false }, () => engine.scalar(objective.losses(engine, model, batch, 1)[0]));
    }
    return total / targets;
  };
}
