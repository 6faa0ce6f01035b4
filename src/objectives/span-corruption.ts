/**
 * Span corruption (T5: Raffel et al. 2020) for a decoder alone: the corrupted text is a prefix that sees itself both ways, the
 * missing spans follow it and are predicted token by token (prefix LM, as UL2's S- and R-denoisers: Tay et al. 2022).
 */
import { z } from "zod";
import { Random } from "../foundation/index.ts";
import { headLoss, type ObjectiveDefinition, specialToken } from "./objective.ts";

const settings = z.strictObject({
  rate: z.number().gt(0).lt(1).default(0.15).describe("share of the tokens that are taken out"),
  meanSpanLength: z.number().min(1).default(3).describe("tokens of a span, on average"),
});

type Settings = z.infer<typeof settings>;

/** Name of sentinel i, T5's. */
const sentinel = (i: number) => `<extra_id_${i}>`;

/** How a sequence of `positions` places divides: text tokens, of these taken out, in how many spans. */
function sizesOf(positions: number, { rate, meanSpanLength }: Settings) {
  const sizes = (text: number) => {
    const noise = Math.min(text - 1, Math.max(1, Math.round(text * rate)));
    const spans = Math.min(noise, text - noise, Math.max(1, Math.round(noise / meanSpanLength)));
    return { text, noise, spans, total: text + 2 * spans + 1 };
  };
  let text = positions;
  while (text > 2 && sizes(text).total > positions) text -= 1;
  return sizes(text);
}

/** `total` in `parts` positive parts, every division alike likely. */
function partition(total: number, parts: number, random: Random): number[] {
  const cuts = new Set<number>();
  while (cuts.size < parts - 1) cuts.add(1 + random.below(total - 1));
  const ends = [...cuts, total].sort((a, b) => a - b);
  return ends.map((end, i) => end - (i === 0 ? 0 : ends[i - 1]));
}

/** Spans taken out of a text from the rest of it. */
export const spanCorruption: ObjectiveDefinition<Settings> = {
  name: "span-corruption",
  summary: "spans taken out of a text, written after it (T5's, as a prefix language model)",
  families: ["decoder"],
  settings,
  specialTokens(one, sequenceLength) {
    return Array.from({ length: sizesOf(sequenceLength + 1, one).spans + 1 }, (_, i) => sentinel(i));
  },
  create: (one) => ({
    name: "span-corruption",
    headShare: 1,
    reportsAccuracy: false,
    draw(source, sequences, { sequenceLength: length }, keys, positions = sequences) {
      const { text, noise, spans } = sizesOf(length + 1, one);
      const tokens = new Int32Array(sequences.length * length).fill(source.vocabulary.endOfText);
      const targets = new Int32Array(tokens.length).fill(-1);
      const visibleTo = new Int32Array(tokens.length);
      const idOf = (i: number) => specialToken(source.vocabulary, sentinel(i), "span-corruption");
      let targetCount = 0;
      sequences.forEach((sequence, row) => {
        const random = new Random(...keys, positions[row], 0x5bac);
        const window = source.read(sequence * length, text);
        const [kept, taken] = [partition(text - noise, spans, random), partition(noise, spans, random)];
        const [prefix, missing]: [number[], number[]] = [[], []];
        let at = 0;
        for (let span = 0; span < spans; span++) {
          prefix.push(...window.subarray(at, at + kept[span]), idOf(span));
          at += kept[span];
          missing.push(idOf(span), ...window.subarray(at, at + taken[span]));
          at += taken[span];
        }
        const whole = [...prefix, ...missing, idOf(spans)].slice(0, length + 1);
        for (let i = 0; i < length; i++) {
          if (i < whole.length) tokens[row * length + i] = whole[i];
          visibleTo[row * length + i] = Math.max(i + 1, prefix.length);
          // The last token of the prefix predicts the first sentinel.
          if (i + 1 < prefix.length || i + 1 >= whole.length) continue;
          targets[row * length + i] = whole[i + 1];
          targetCount += 1;
        }
      });
      return {
        ...{ sequences: sequences.length, length, tokens, targets, targetCount, visibleTo },
        visibleFrom: new Int32Array(tokens.length),
      };
    },
    losses: (engine, model, batch, normalizer, zLoss) => [
      headLoss(engine, model.forward(engine, batch), batch.targets, normalizer, zLoss).loss,
    ],
  }),
};
