/**
 * Masked-token prediction (BERT: Devlin et al. 2019). Masks are drawn anew at every step (RoBERTa: Liu et al. 2019), the head
 * runs over the masked positions only.
 */
import { z } from "zod";
import { headCrossEntropyWithBias } from "../engine/index.ts";
import { Random, TilthError } from "../foundation/index.ts";
import { headLoss, type ObjectiveDefinition, specialToken, type TokenSource, type Vocabulary } from "./objective.ts";
import { documentEnds, documentStarts } from "./sequences.ts";

/** RoBERTa's name of the token that stands for a hidden one; a WordPiece vocabulary has BERT's. */
export const maskToken = "<mask>";
const bertMaskToken = "[MASK]";

const share = z.number().min(0).max(1);

const settings = z
  .strictObject({
    rate: share.gt(0).default(0.15).describe("share of the tokens that are chosen; ModernBERT: 0.3"),
    maskShare: share.default(0.8).describe("of the chosen ones, the share replaced by the mask token"),
    randomShare: share.default(0.1).describe("of the chosen ones, the share replaced by a random token"),
    wholeWord: z.boolean().default(false).describe("choose all pieces of a word together"),
    nextSentence: z.boolean().default(false).describe("BERT's second task: whether the second half follows the first"),
  })
  .refine((one) => one.maskShare + one.randomShare <= 1, { message: "maskShare and randomShare exceed 1 together" });

type Settings = z.infer<typeof settings>;

/** Chosen tokens from what stands around them, on both sides. */
export const maskedToken: ObjectiveDefinition<Settings> = {
  name: "masked-token",
  summary: "hidden tokens from both sides (BERT, RoBERTa, ModernBERT); whole words and next sentence as options",
  families: ["encoder"],
  settings,
  // In this order padding is token 1, after which RoBERTa's positions are counted.
  specialTokens: () => ["<pad>", maskToken],
  create: (one) => ({
    name: "masked-token",
    headShare: one.rate,
    reportsAccuracy: true,
    draw(source, sequences, { sequenceLength: length, documentMask }, keys, positions = sequences) {
      const { vocabulary } = source;
      const tokens = new Int32Array(sequences.length * length);
      const labels = new Int32Array(sequences.length);
      const rows: number[] = [];
      const targets: number[] = [];
      const original = new Int32Array(tokens.length);
      sequences.forEach((sequence, row) => {
        const random = new Random(...keys, positions[row], 0x3a5c);
        const window = one.nextSentence
          ? sentencePair(source, sequence, length, random, (label) => {
              labels[row] = label;
            })
          : source.read(sequence * length, length);
        original.set(window, row * length);
        const masked = mask(window, vocabulary, one, random);
        tokens.set(masked.tokens, row * length);
        for (const position of masked.chosen) {
          rows.push(row * length + position);
          targets.push(window[position]);
        }
      });
      if (rows.length === 0) throw new TilthError("masked-token: a batch has no token that may be masked");
      const starts =
        documentMask && !one.nextSentence ? documentStarts(original, length, vocabulary.endOfText) : undefined;
      return {
        ...{ sequences: sequences.length, length, tokens, rows: Int32Array.from(rows) },
        ...{ targets: Int32Array.from(targets), targetCount: targets.length },
        ...(starts && { visibleFrom: starts, visibleTo: documentEnds(starts, length) }),
        ...(one.nextSentence && { sentenceLabels: labels, types: secondHalves(tokens.length, length) }),
      };
    },
    losses(engine, model, batch, normalizer, zLoss) {
      const states = model.forward(engine, batch);
      const { loss } = headLoss(engine, states, batch.targets, normalizer, zLoss);
      const { nextSentence: pair } = states;
      if (batch.sentenceLabels === undefined) return [loss];
      if (pair === undefined) {
        throw new TilthError("objective.nextSentence needs a model with a next-sentence head", {
          remedy: "Set model.nextSentence to true (architecture bert).",
        });
      }
      // The mean over the step's sequences: as many of its targets as of all targets are in this batch.
      const share = (batch.sequences * normalizer) / batch.targetCount;
      const options = { targets: engine.constant(batch.sentenceLabels), normalizer: share };
      return [
        loss,
        engine.run(headCrossEntropyWithBias, { x: pair.hidden, weight: pair.weight, bias: pair.bias }, options).loss,
      ];
    },
  }),
};

/** Positions chosen in a window, in order, and its tokens with those hidden or changed. */
export function mask(
  window: Int32Array,
  vocabulary: Vocabulary,
  { rate, maskShare, randomShare, wholeWord }: Settings,
  random: Random,
): { readonly tokens: Int32Array; readonly chosen: readonly number[] } {
  const special = new Set([vocabulary.endOfText, ...vocabulary.specialTokens.values()]);
  const maskId = vocabulary.specialTokens.get(bertMaskToken) ?? specialToken(vocabulary, maskToken, "masked-token");
  const groups: number[][] = [];
  let candidates = 0;
  window.forEach((token, position) => {
    if (special.has(token)) return;
    candidates += 1;
    const continues = wholeWord && position > 0 && !special.has(window[position - 1]) && !vocabulary.startsWord(token);
    if (continues) groups[groups.length - 1].push(position);
    else groups.push([position]);
  });
  const wanted = candidates === 0 ? 0 : Math.max(1, Math.round(rate * candidates));
  const chosen: number[] = [];
  for (let drawn = 0; drawn < groups.length && chosen.length < wanted; drawn++) {
    const other = drawn + random.below(groups.length - drawn);
    [groups[drawn], groups[other]] = [groups[other], groups[drawn]];
    // A word that would go beyond the budget is left out, as in BERT's own masking.
    if (chosen.length + groups[drawn].length <= wanted || chosen.length === 0) chosen.push(...groups[drawn]);
  }
  chosen.sort((a, b) => a - b);
  const tokens = window.slice();
  for (const position of chosen) {
    const [choice, replacement] = [random.uniform(), random.below(vocabulary.size)];
    if (choice < maskShare) tokens[position] = maskId;
    else if (choice < maskShare + randomShare) tokens[position] = replacement;
  }
  return { tokens, chosen };
}

/** <end of text> A <end of text> B, where B follows A in the text, or comes from elsewhere (label 1). */
function sentencePair(
  source: TokenSource,
  sequence: number,
  length: number,
  random: Random,
  setLabel: (label: number) => void,
): Int32Array {
  const half = length >> 1;
  const elsewhere = random.uniform() < 0.5;
  const count = Math.floor(source.tokens / length);
  const other = elsewhere ? (sequence + 1 + random.below(Math.max(1, count - 1))) % count : sequence;
  setLabel(Number(elsewhere && other !== sequence));
  const out = new Int32Array(length).fill(source.vocabulary.endOfText);
  out.set(source.read(sequence * length, half - 1), 1);
  out.set(source.read(other * length + half - 1, length - half - 1), half + 1);
  return out;
}

function secondHalves(count: number, length: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => Number(i % length >= length >> 1));
}
