/** Bootstrap (Efron 1979): how much a statistic would vary over other samples of the same size. */
import { quantile } from "./quantile.ts";
import { Random } from "./random.ts";

/** A statistic with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly interval: readonly [number, number];
}

const resamples = 1000;
/** Keeps the streams of random numbers apart. */
const purpose = 0xb007;

/**
 * Each of the statistics over all items, with the 2.5 % and 97.5 % quantiles over 1,000 seeded resamples. `statistics` is
 * given how often every item occurs, group by group; each group of the given sizes is resampled on its own.
 */
export function bootstrap<Name extends string>(
  sizes: readonly number[],
  statistics: (occurrences: readonly Uint32Array[]) => Readonly<Record<Name, number>>,
  seed = 1,
): Record<Name, Estimate> {
  const random = new Random(seed, purpose);
  const whole = statistics(sizes.map((size) => new Uint32Array(size).fill(1)));
  const samples = Array.from({ length: resamples }, () =>
    statistics(
      sizes.map((size) => {
        const occurrences = new Uint32Array(size);
        for (let draw = 0; draw < size; draw++) occurrences[random.below(size)]++;
        return occurrences;
      }),
    ),
  );
  const names = Object.keys(whole) as Name[];
  return Object.fromEntries(
    names.map((name) => {
      const values = Float64Array.from(samples, (sample) => sample[name]);
      return [name, { value: whole[name], interval: [quantile(values, 0.025), quantile(values, 0.975)] }];
    }),
  ) as unknown as Record<Name, Estimate>;
}

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
