/** A training run as people watch it: loss, rate, share of peak, time left. */
import type { TrainEvent } from "../jobs/index.ts";
import type { StepRecord } from "../training/index.ts";
import { formatCount, formatSeconds, progressLine, say } from "./terminal.ts";

/** Figures over the whole run, for the summary. */
export interface TrainingFigures {
  tokensPerSecond: number;
  mfu: number | null;
  hostShare: number | null;
  firstLoss: number;
  lastLoss: number;
  validations: { step: number; loss: number }[];
}

/** A listener for `trainJob` and the figures it gathers. With `json`, records go to stdout as JSON lines. */
export function watchTraining(
  steps: number,
  json: boolean,
): { listen(event: TrainEvent): void; figures(): TrainingFigures } {
  const line = progressLine();
  const records: StepRecord[] = [];
  const validations: { step: number; loss: number }[] = [];
  return {
    listen(event) {
      if (event.kind === "warning") return say(`tilth: ${event.message}`);
      const { record } = event;
      if (json) process.stdout.write(`${JSON.stringify(record)}\n`);
      if (record.kind === "step") {
        records.push(record);
        const left = formatSeconds(((steps - record.step) * record.tokens) / medianRate(records));
        const share = record.mfu === null ? "" : `, ${(record.mfu * 100).toFixed(0)} % of peak`;
        line.line(
          `  step ${record.step} of ${steps}: loss ${record.loss.toFixed(3)}, ${formatCount(record.tokensPerSecond)} tokens/s${share}, ${left} left`,
        );
      } else if (record.kind === "validation") {
        validations.push({ step: record.step, loss: record.loss });
        say(`  step ${record.step}: validation loss ${record.loss.toFixed(3)}`);
      } else {
        say(`  step ${record.step}: saved ${record.path}`);
      }
    },
    figures: () => ({
      tokensPerSecond: medianRate(records),
      mfu: median(records.flatMap(({ mfu }) => (mfu === null ? [] : [mfu]))),
      hostShare: median(records.flatMap(({ hostShare }) => (hostShare === null ? [] : [hostShare]))),
      firstLoss: records[0]?.loss ?? Number.NaN,
      lastLoss: records.at(-1)?.loss ?? Number.NaN,
      validations,
    }),
  };
}

function medianRate(records: readonly StepRecord[]): number {
  return median(records.slice(-200).map(({ tokensPerSecond }) => tokensPerSecond)) ?? 0;
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
