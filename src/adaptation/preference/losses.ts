/** Losses on preferences: one entry each. */

/** What a loss sees of a pair: log π/π_ref of both responses, and their lengths in tokens. */
export interface LogRatios {
  readonly chosen: number;
  readonly rejected: number;
  readonly chosenTokens: number;
  readonly rejectedTokens: number;
}

/** A loss with its derivatives by both log-ratios. */
export interface PreferenceLossValue {
  readonly loss: number;
  readonly byChosen: number;
  readonly byRejected: number;
}

type PreferenceLoss = (ratios: LogRatios, beta: number) => PreferenceLossValue;

/** −log σ(β · (chosen − rejected)) (Rafailov et al. 2023). */
const sigmoid: PreferenceLoss = ({ chosen, rejected }, beta) => {
  const margin = beta * (chosen - rejected);
  const loss = margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
  const slope = -beta / (1 + Math.exp(margin));
  return { loss, byChosen: slope, byRejected: -slope };
};

/** (chosen − rejected − 1 / (2β))² on means over tokens (Azar et al. 2023, as its authors and TRL compute it). */
const ipo: PreferenceLoss = ({ chosen, rejected, chosenTokens, rejectedTokens }, beta) => {
  const distance = chosen / chosenTokens - rejected / rejectedTokens - 1 / (2 * beta);
  return {
    loss: distance ** 2,
    byChosen: (2 * distance) / chosenTokens,
    byRejected: (-2 * distance) / rejectedTokens,
  };
};

export const preferenceLosses = { sigmoid, ipo } as const satisfies Readonly<Record<string, PreferenceLoss>>;
export type PreferenceLossName = keyof typeof preferenceLosses;
export const preferenceLossNames = Object.keys(preferenceLosses) as PreferenceLossName[];
