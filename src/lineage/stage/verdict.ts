/** From evidence to a verdict, which is "unknown" where the evidence does not reach. */
import type { Evidence } from "./evidence.ts";
import { type Stage, stages } from "./stages.ts";

export interface StageVerdict {
  readonly stage: Stage | "unknown";
  /** 0–1: the share of the verdict against all others, "cannot be told" among them. */
  readonly confidence: number;
  readonly evidence: readonly Evidence[];
}

/** A verdict needs this much more weight than not knowing, and than the next stage. */
const [leastWeight, leastLead] = [1.8, 0.7];

/** Adds up the evidence. Aligned and instruct models look alike from outside: together they may be clear where neither is. */
export function judgeStage(evidence: readonly Evidence[]): StageVerdict {
  const names = Object.keys(stages) as Stage[];
  const sums = names.map((stage) => ({
    stage,
    sum: evidence.reduce((sum, { weights }) => sum + (weights[stage] ?? 0), 0),
  }));
  const [best, second] = sums.sort((a, b) => b.sum - a.sum);
  const total = sums.reduce((sum, one) => sum + Math.exp(one.sum), Math.exp(1));
  const clear = best.sum >= leastWeight && best.sum - second.sum >= leastLead;
  const assistants = best.sum >= leastWeight && isAssistant(best.stage) && isAssistant(second.stage);
  const stage = clear ? best.stage : assistants ? "instruct" : "unknown";
  const share = assistants && !clear ? Math.exp(best.sum) + Math.exp(second.sum) : Math.exp(best.sum);
  return { stage, confidence: stage === "unknown" ? 1 - Math.exp(best.sum) / total : share / total, evidence };
}

const isAssistant = (stage: Stage) => stage === "instruct" || stage === "aligned";
