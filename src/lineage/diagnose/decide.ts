/** Where a behaviour came from, decided from how the checkpoints of a chain do on it and what the corpus holds of it. */
import { bootstrap, bootstrapMean, type Estimate } from "../../foundation/index.ts";
import type { Stage } from "../stage/index.ts";

/** How a checkpoint of the chain does. Scores above 0 are right: by how much the wanted answer is likelier than the other. */
export interface StageScores {
  readonly name: string;
  readonly stage: Stage | "unknown";
  /** Of each failing case, in order; null where this checkpoint cannot be asked (no head for the task). */
  readonly failing: readonly number[] | null;
  /** Of each control case: what is known to work. Empty where none were given. */
  readonly control: readonly number[] | null;
}

/** Share of each case's word pairs that stand in training documents. */
export interface CoverageShares {
  readonly failing: readonly number[];
  readonly control: readonly number[];
}

export type Origin = "data coverage" | "fine-tuning" | "post-training" | "undecided";

export interface Diagnosis {
  readonly origin: Origin;
  /** The checkpoint at which it entered; undefined where that cannot be said. */
  readonly enteredAt?: string;
  /** One sentence each, the deciding one first. */
  readonly evidence: readonly string[];
  /** The cheapest measurement that would tell more. */
  readonly next: string;
  readonly stages: readonly {
    readonly name: string;
    readonly stage: Stage | "unknown";
    readonly failing: Estimate | null;
    readonly control: Estimate | null;
  }[];
}

/** A share of right answers below this is a failure; a fall of this much is one that entered there. */
const [failure, fall] = [0.75, 0.1];
/** So much less of the failing cases than of the control must the corpus hold; without a control, so little at all. */
const [coverageGap, poorCoverage] = [0.1, 0.4];

const share = (scores: readonly number[] | null) =>
  scores === null || scores.length === 0 ? null : bootstrapMean(scores.map((score) => (score > 0 ? 1 : 0)));
const percent = ({ value, interval }: Estimate) =>
  `${(100 * value).toFixed(0)} % (${interval.map((one) => (100 * one).toFixed(0)).join("–")})`;

/**
 * Decides. `chain`: from the base to the checkpoint that behaves oddly. The answer is "undecided" where the last checkpoint
 * shows no fault, where the intervals leave it open, or where nothing that was measured explains it.
 */
export function diagnose(chain: readonly StageScores[], coverage: CoverageShares | undefined): Diagnosis {
  const stages = chain.map(({ name, stage, failing, control }) => ({
    name,
    stage,
    failing: share(failing),
    control: share(control),
  }));
  const asked = chain.filter((one): one is StageScores & { failing: readonly number[] } => one.failing !== null);
  const last = asked.at(-1);
  const undecided = (evidence: string[], next: string): Diagnosis => ({ origin: "undecided", evidence, next, stages });
  if (last === undefined)
    return undecided(
      ["no checkpoint of the chain can be asked these cases"],
      "Give a checkpoint with a head for the task, or cases with prompt, wanted and unwanted.",
    );
  const now = share(last.failing)!;
  const lower = last.control !== null && last.control.length > 0 ? difference(last.failing, last.control) : undefined;
  // Beside a control it must do worse than that; alone it must do badly.
  const fails = lower === undefined ? now.interval[1] < failure : lower.interval[1] < 0 && lower.value <= -fall;
  if (!fails) {
    return undecided(
      [
        `${last.name} answers ${percent(now)} of the cases as wanted${lower === undefined ? "" : `, ${percent(share(last.control)!)} of the control`}: no fault that chance would not explain`,
      ],
      "Collect more cases of the behaviour: with twice as many the interval narrows by a third.",
    );
  }
  const gap = coverageFinding(coverage);
  const entered = largestFall(asked);
  if (entered !== undefined) {
    const { before, at, drop } = entered;
    const origin = originOf(at.stage);
    const general = before.control?.length && at.control?.length ? difference(at.control, before.control) : undefined;
    return {
      ...{ origin, enteredAt: at.name, stages },
      evidence: [
        `from ${before.name} to ${at.name} the share answered as wanted falls by ${percent(negated(drop))}`,
        ...(general === undefined ? [] : [`the control changes by ${percent(general)} in the same step`]),
        ...(gap === undefined ? [] : [gap.text]),
      ],
      next: nextFor[origin],
    };
  }
  const first = asked[0];
  const skipped = chain.indexOf(first) > 0;
  const failsFromStart = `${first.name}, the first that can be asked, already answers only ${percent(share(first.failing)!)} as wanted`;
  if (gap?.poor === true) {
    return {
      origin: "data coverage",
      enteredAt: chain[0].name,
      stages,
      evidence: [gap.text, failsFromStart],
      next: nextFor["data coverage"],
    };
  }
  const origin = originOf(first.stage);
  if (skipped && gap !== undefined && origin !== "data coverage" && origin !== "undecided") {
    return {
      ...{ origin, enteredAt: first.name, stages },
      evidence: [
        failsFromStart,
        `${gap.text}: its data do not explain it, and ${chain[0].name} has no such answer to give`,
      ],
      next: nextFor[origin],
    };
  }
  return undecided(
    [
      failsFromStart,
      ...(gap === undefined
        ? ["no corpus was given: whether its data hold the cases is not known"]
        : [`${gap.text}: the data do not explain it`]),
    ],
    gap === undefined
      ? "Give the corpus that trained the base (--corpus): looking takes one pass over it."
      : "Ask the earlier checkpoints of the base run (tilth eval dynamics): if the score still rises, it was trained too little; if not, it is too small.",
  );
}

function originOf(stage: Stage | "unknown"): Origin {
  if (stage === "instruct" || stage === "aligned") return "post-training";
  if (stage === "fine-tuned") return "fine-tuning";
  // What pre-training or its continuation forgot, its data did not hold.
  return stage === "unknown" ? "undecided" : "data coverage";
}

const nextFor: Readonly<Record<Origin, string>> = {
  "data coverage":
    "Add documents about it (the rejected ones above first) and continue from the base for a few hundred steps: tilth train --continue-from.",
  "fine-tuning":
    "Look at the nearest rows of the tuning data; mend or leave out those with the unwanted answer and tune again from the same base.",
  "post-training":
    "Tune again from the checkpoint before with a larger beta or fewer steps, and watch the guards of length and diversity.",
  undecided: "Name the stage of each checkpoint (--chain stage=folder).",
};

/** The step of the chain with the largest fall that chance does not explain. */
function largestFall(asked: readonly (StageScores & { readonly failing: readonly number[] })[]) {
  const falls = asked.slice(1).flatMap((at, index) => {
    const before = asked[index];
    const drop = bootstrapMean(at.failing.map((score, i) => Number(score > 0) - Number(before.failing[i] > 0)));
    return drop.interval[1] < 0 && drop.value <= -fall ? [{ before, at, drop }] : [];
  });
  return falls.sort((a, b) => a.drop.value - b.drop.value)[0];
}

function coverageFinding(
  coverage: CoverageShares | undefined,
): { readonly poor: boolean; readonly text: string } | undefined {
  if (coverage === undefined || coverage.failing.length === 0) return undefined;
  const failing = bootstrapMean(coverage.failing);
  if (coverage.control.length === 0) {
    return {
      poor: failing.interval[1] < poorCoverage,
      text: `the corpus holds ${percent(failing)} of the cases' word pairs`,
    };
  }
  const gap = bootstrap([coverage.failing.length, coverage.control.length], ([a, b]) => ({
    gap: weighted(coverage.failing, a) - weighted(coverage.control, b),
  })).gap;
  return {
    poor: gap.interval[1] < 0 && gap.value <= -coverageGap,
    text: `the corpus holds ${percent(failing)} of the cases' word pairs, ${percent(bootstrapMean(coverage.control))} of the control's`,
  };
}

/** Of the shares of right answers: first minus second, unpaired. */
function difference(first: readonly number[], second: readonly number[]): Estimate {
  const right = (scores: readonly number[]) => scores.map((score) => Number(score > 0));
  const [a, b] = [right(first), right(second)];
  return bootstrap([a.length, b.length], ([x, y]) => ({ difference: weighted(a, x) - weighted(b, y) })).difference;
}

function weighted(values: readonly number[], occurrences: Uint32Array): number {
  return values.reduce((sum, value, index) => sum + value * occurrences[index], 0) / values.length;
}

const negated = ({ value, interval: [low, high] }: Estimate): Estimate => ({ value: -value, interval: [-high, -low] });
