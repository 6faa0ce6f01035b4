/** Chooses a model for a machine and a budget: as large as the budget can train well, no larger. */
import { type LlamaConfiguration, llama, llamaConfiguration, trainingFlopsPerToken } from "../models/index.ts";

/** Depth and width of the ladder that the quickstart chooses from, smallest first; about 0.5M to 10M parameters. */
const ladder = [
  { layers: 2, width: 64, attentionHeads: 2, headSize: 32, mlpWidth: 176 },
  { layers: 4, width: 160, attentionHeads: 5, headSize: 32, mlpWidth: 432 },
  { layers: 5, width: 192, attentionHeads: 6, headSize: 32, mlpWidth: 512 },
  { layers: 6, width: 256, attentionHeads: 8, headSize: 32, mlpWidth: 688 },
  { layers: 8, width: 320, attentionHeads: 10, headSize: 32, mlpWidth: 864 },
] as const;

/** Tokens a parameter below which a step up the ladder costs more than it brings, at budgets of minutes. */
const tokensPerParameter = 0.5;

/**
 * The largest model of the ladder that sees at least half a token a parameter within the budget at the assumed
 * utilisation; the smallest where none does. Budgets of minutes are far from compute-optimal (20 tokens a parameter,
 * Hoffmann et al. 2022): what counts is how far the loss falls in a few hundred steps, and there wider models learn more
 * from each token. Measured at two minutes: 1.9M parameters reached 1.36 bits per byte, 3.0M 1.41 to 1.43.
 * @param peakFlops measured, FLOP/s
 * @param seconds of training
 */
export function chooseModel(
  peakFlops: number,
  seconds: number,
  sizes: { vocabularySize: number; context: number },
): LlamaConfiguration {
  const utilisation = 0.4;
  const candidates = ladder.map((rung) =>
    llamaConfiguration.parse({ ...rung, keyValueHeads: rung.attentionHeads, ...sizes }),
  );
  const affordable = candidates.filter((candidate) => {
    const dimensions = llama.dimensions(candidate);
    const tokens = (peakFlops * utilisation * seconds) / trainingFlopsPerToken(dimensions, sizes.context);
    return tokens >= tokensPerParameter * dimensions.parameters;
  });
  return affordable.at(-1) ?? candidates[0];
}
