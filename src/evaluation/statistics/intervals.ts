/** Bootstrap intervals of means. */
import { bootstrap, type Estimate } from "../../foundation/index.ts";

export type { Estimate };

/** Mean of the values and the 2.5 % and 97.5 % quantiles of the means of 1,000 seeded resamples. */
export function bootstrapMean(values: readonly number[], seed = 1): Estimate {
  return bootstrapMeanOfGroups([values], seed);
}

/** As `bootstrapMean`, of the mean of the groups' means; every group is resampled on its own, so that its size stays. */
export function bootstrapMeanOfGroups(groups: readonly (readonly number[])[], seed = 1): Estimate {
  const sizes = groups.map((values) => values.length);
  const meanOf = (values: readonly number[], occurrences: Uint32Array) =>
    values.reduce((sum, value, item) => sum + value * occurrences[item], 0) / values.length;
  const statistics = (occurrences: readonly Uint32Array[]) => ({
    mean: groups.reduce((sum, values, group) => sum + meanOf(values, occurrences[group]), 0) / groups.length,
  });
  return bootstrap(sizes, statistics, seed).mean;
}
