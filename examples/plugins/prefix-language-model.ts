/**
 * An objective of your own: a prefix language model. The model reads the first part of every sequence and is only judged by how
 * it goes on (the S-denoiser of UL2, Tay et al. 2022, without its second direction of attention).
 *   plugins: ["examples/plugins/prefix-language-model.ts"], objective: { kind: "prefix-language-model" }
 */
import { documentStarts, headLoss, Random, registerObjective } from "tilth";
import { z } from "zod";

const settings = z.strictObject({
  prefixShare: z.number().min(0).lt(1).default(0.5).describe("the longest prefix, as a share of the sequence"),
});

registerObjective<z.infer<typeof settings>>({
  name: "prefix-language-model",
  summary: "each token after a prefix of random length, from those before it",
  families: ["decoder"],
  settings,
  specialTokens: () => [],
  create: ({ prefixShare }) => ({
    name: "prefix-language-model",
    headShare: 1,
    reportsAccuracy: false,
    draw(source, sequences, { sequenceLength, documentMask }, keys, positions = sequences) {
      const tokens = new Int32Array(sequences.length * sequenceLength);
      const targets = new Int32Array(tokens.length);
      let targetCount = 0;
      sequences.forEach((sequence, row) => {
        const window = source.read(sequence * sequenceLength, sequenceLength + 1);
        tokens.set(window.subarray(0, sequenceLength), row * sequenceLength);
        targets.set(window.subarray(1), row * sequenceLength);
        // From the keys alone, so that any step can be drawn again.
        const prefix = new Random(...keys, positions[row]).below(Math.floor(sequenceLength * prefixShare) + 1);
        targets.fill(-1, row * sequenceLength, row * sequenceLength + prefix);
        targetCount += sequenceLength - prefix;
      });
      const visibleFrom = documentMask
        ? documentStarts(tokens, sequenceLength, source.vocabulary.endOfText)
        : undefined;
      return { sequences: sequences.length, length: sequenceLength, tokens, targets, targetCount, visibleFrom };
    },
    losses: (engine, model, batch, normalizer, zLoss) => [
      headLoss(engine, model.forward(engine, batch), batch.targets, normalizer, zLoss).loss,
    ],
  }),
});
