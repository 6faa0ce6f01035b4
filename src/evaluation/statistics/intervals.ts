/** Bootstrap intervals of means. */
import { quantile, Random } from "../../foundation/index.ts";

/** A mean with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly interval: readonly [number, number];
}

const resamples = 1000;

/** Mean of the values and the 2.5 % and 97.5 % quantiles of the means of 1,000 seeded resamples. */
export function bootstrapMean(values: readonly number[], seed = 1): Estimate {
  return bootstrapMeanOfGroups([values], seed);
}

/** As `bootstrapMean`, of the mean of the groups' means; every group is resampled on its own, so that its size stays. */
export function bootstrapMeanOfGroups(groups: readonly (readonly number[])[], seed = 1): Estimate {
  const random = new Random(seed, 0xb007);
  const resampled = (values: readonly number[]) => {
    let sum = 0;
    for (let draw = 0; draw < values.length; draw++) sum += values[random.below(values.length)];
    return sum / values.length;
  };
  const plain = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const means = Float64Array.from({ length: resamples }, () => plain(groups.map(resampled)));
  return { value: plain(groups.map(plain)), interval: [quantile(means, 0.025), quantile(means, 0.975)] };
}
