/** Looks at every step before it is taken: is the loss a number, and is it near those before? */
import { quantile } from "../foundation/index.ts";
import type { GuardConfiguration } from "./configuration.ts";

/** What is to be done with a step. */
export type Verdict =
  | { readonly action: "accept" }
  | { readonly action: "warn" | "skip" | "rewind" | "stop"; readonly reason: string };

/** Judges losses against those of the last accepted steps. */
export class LossGuard {
  private interventions = 0;

  /** @param recentLosses of the steps before, newest last */
  constructor(
    private readonly settings: GuardConfiguration,
    private recentLosses: readonly number[] = [],
  ) {}

  /** The losses that the next one is compared with: part of a run's state. */
  get recent(): readonly number[] {
    return this.recentLosses;
  }

  /** The state of a checkpoint. */
  restore(recentLosses: readonly number[]): void {
    this.recentLosses = recentLosses;
  }

  judge(loss: number, gradientNorm: number): Verdict {
    const verdict = this.firstLook(loss, gradientNorm);
    if (verdict.action === "accept" || verdict.action === "warn") {
      this.recentLosses = [...this.recentLosses, loss].slice(-this.settings.spikeWindow);
      return verdict;
    }
    if (verdict.action === "stop" || ++this.interventions <= this.settings.maximumInterventions) return verdict;
    const { maximumInterventions } = this.settings;
    return { action: "stop", reason: `${verdict.reason}, after ${maximumInterventions} such steps were left out` };
  }

  private firstLook(loss: number, gradientNorm: number): Verdict {
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      return {
        action: this.settings.nonFinite,
        reason: `the loss is ${loss} and the gradient norm ${gradientNorm}`,
      };
    }
    const limit = this.spikeLimit();
    if (limit === undefined || loss <= limit) return { action: "accept" };
    return {
      action: this.settings.lossSpike,
      reason: `the loss jumped to ${loss.toFixed(3)}; up to ${limit.toFixed(3)} was expected from the last ${this.recentLosses.length} steps`,
    };
  }

  /** The largest loss that is no spike; undefined while there are too few to compare with. */
  private spikeLimit(): number | undefined {
    const { spikeWindow, spikeDeviations } = this.settings;
    if (this.recentLosses.length < spikeWindow / 2) return undefined;
    const middle = quantile(this.recentLosses, 0.5);
    const distances = this.recentLosses.map((loss) => Math.abs(loss - middle));
    const deviation = 1.4826 * quantile(distances, 0.5);
    // Losses that hardly move would make a spike of every rounding.
    return middle + spikeDeviations * Math.max(deviation, 0.005 * Math.abs(middle));
  }
}
