/** A training run as people watch it: loss, rate, share of peak, time left. */
import type { TrainEvent, TrainPairsEvent } from "../jobs/index.ts";
import type { StepRecord } from "../training/index.ts";
import { formatBytes, formatCount, formatSeconds, progressLine, say } from "./terminal.ts";

/** Figures over the whole run, for the summary. */
export interface TrainingFigures {
  tokensPerSecond: number;
  mfu: number | null;
  hostShare: number | null;
  firstLoss: number;
  lastLoss: number;
  validations: { step: number; loss: number }[];
}

/** A listener for `trainJob` and `trainPairsJob` and the figures it gathers. With `json`, records go to stdout as JSON lines. */
export function watchTraining(
  steps: number,
  json: boolean,
): { listen(event: TrainEvent | TrainPairsEvent): void; figures(): TrainingFigures } {
  const line = progressLine();
  const records: StepRecord[] = [];
  const validations: { step: number; loss: number }[] = [];
  return {
    listen(event) {
      if (event.kind === "warning") return say(`tilth: ${event.message}`);
      if (event.kind === "data") return say(describePairs(event));
      if (event.kind === "forecast") {
        if (json) process.stdout.write(`${JSON.stringify({ kind: "forecast", ...event.forecast })}\n`);
        const { memoryBytes, stepSeconds, runSeconds } = event.forecast;
        return say(
          `  forecast: ${formatBytes(memoryBytes)} of memory, ${stepSeconds.toPrecision(3)} s a step, ${formatSeconds(runSeconds)} in all`,
        );
      }
      const { record } = event;
      if (json) process.stdout.write(`${JSON.stringify(record)}\n`);
      if (record.kind === "step") {
        records.push(record);
        const left = formatSeconds(((steps - record.step) * record.tokens) / medianRate(records));
        const share = record.mfu === null ? "" : `, ${(record.mfu * 100).toFixed(0)} % of peak`;
        line.line(
          `  step ${record.step} of ${steps}: loss ${record.loss.toFixed(3)}, ${rateOf(record)}${share}, ${left} left`,
        );
      } else if (record.kind === "validation") {
        validations.push({ step: record.step, loss: record.loss });
        const averaged =
          record.averagedLoss === undefined ? "" : `, of the averaged weights ${record.averagedLoss.toFixed(3)}`;
        say(
          `  step ${record.step}: validation loss ${record.loss.toFixed(3)}${averaged}${describeMetrics(record.metrics)}`,
        );
      } else if (record.kind === "early-stop") {
        say(
          `  step ${record.step}: the validation loss no longer falls (best ${record.bestLoss.toFixed(3)}): the run ends`,
        );
      } else if (record.kind === "checkpoint") {
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

function rateOf({ tokensPerSecond, pairsPerSecond }: StepRecord): string {
  return pairsPerSecond === undefined
    ? `${formatCount(tokensPerSecond)} tokens/s`
    : `${formatCount(pairsPerSecond)} pairs/s`;
}

function describeMetrics(metrics: Readonly<Record<string, number>> = {}): string {
  return Object.entries(metrics)
    .map(([name, value]) => `, ${name} ${(value * 100).toFixed(1)} %`)
    .join("");
}

/** What a contrastive run trains on. */
function describePairs({ data, parameters }: Extract<TrainPairsEvent, { kind: "data" }>): string {
  const left = [
    data.skipped > 0 ? `${data.skipped} without caption or file left out` : "",
    data.damaged > 0 ? `${data.damaged} damaged images left out` : "",
    data.nearDuplicates > 0 ? `${data.nearDuplicates} not held out for being near duplicates of training images` : "",
    data.compared ? "" : "too many to look for near duplicates between the parts",
  ].filter((one) => one !== "");
  const held = `${data.train} pairs to train on, ${data.validation} held out to watch it, ${data.test} for the figures in the end`;
  return `   ${[held, ...left].join("; ")}; a model of ${formatCount(parameters)} parameters`;
}

function medianRate(records: readonly StepRecord[]): number {
  return median(records.slice(-200).map(({ tokensPerSecond }) => tokensPerSecond)) ?? 0;
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
