import { join } from "node:path";
import { comparePaired, rightsOf, type TaskResult, taskNamed } from "../evaluation/index.ts";
import { TilthError, UsageError, writeFileAtomically } from "../foundation/index.ts";
import { placesOf } from "../jobs/index.ts";
import { plotSvg } from "../plots/index.ts";
import { checkpointNames } from "../training/index.ts";
import type { Command } from "./command.ts";
import { runTaskOn, taskOptions } from "./eval-task.ts";

/** What is asked of a checkpoint by itself, not of the questions or of two checkpoints. */
const left = new Set(["against", "items", "contamination", "coverage", "unconditional", "licence"]);
const shared = Object.fromEntries(Object.entries(taskOptions).filter(([name]) => !left.has(name)));

/** `tilth eval dynamics` */
export const dynamics: Command = {
  summary: "a task on every checkpoint of a run, as a curve",
  usage: "<run folder> --task <name> --data <file> [options]",
  options: {
    ...shared,
    plot: { describe: "draw the curve: an SVG", placeholder: "file" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object" },
  },
  examples: ["tilth eval dynamics runs/first --task blimp --data adjunct_island.jsonl --plot curve.svg"],
  async run(input) {
    const [runFolder] = input.positionals;
    const name = input.text("task");
    if (runFolder === undefined || name === undefined) {
      throw new UsageError("a run folder, --task and --data are needed", { remedy: "See: tilth eval dynamics --help" });
    }
    const task = taskNamed(name);
    const folder = placesOf(runFolder).checkpoints;
    const steps = checkpointNames(runFolder);
    if (steps.length === 0) {
      throw new TilthError(`${runFolder} has no checkpoints`, {
        remedy: "Give the folder of a run; training.keepCheckpoints says how many it keeps.",
      });
    }
    const points: { step: number; result: TaskResult }[] = [];
    for (const one of steps)
      points.push({ step: Number(one.slice(5)), result: await runTaskOn(join(folder, one), task, input) });
    const curve = points.map(({ step, result }, index) => ({
      step,
      ...result.metrics[result.primary]!,
      // Paired with the checkpoint before it.
      change: index === 0 ? null : comparePaired(rightsOf(points[index - 1].result), rightsOf(result)),
    }));
    const [{ result: first }] = points;
    const plot = input.text("plot");
    if (plot !== undefined) {
      const shown = curve.map(({ step, value, interval: [low, high] }) => ({ step, value, low, high }));
      const svg = await plotSvg(`${task.name} over the steps of a run`, (library) => ({
        width: 640,
        height: 320,
        x: { label: "step" },
        y: { label: `${task.name}: ${first.primary}`, grid: true },
        marks: [
          library.ruleY([first.chance], { strokeDasharray: "3,3" }),
          library.areaY(shown, { x: "step", y1: "low", y2: "high", fillOpacity: 0.15 }),
          library.line(shown, { x: "step", y: "value", marker: "dot" }),
        ],
      }));
      writeFileAtomically(plot, svg);
    }
    if (input.flag("json")) {
      process.stdout.write(
        `${JSON.stringify({ task: task.name, licence: task.licence, metric: first.primary, items: first.items, chance: first.chance, curve })}\n`,
      );
      return;
    }
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    process.stdout.write(
      [
        `${task.name}: ${first.primary} on ${first.items} questions (data licence ${task.licence}); guessing gives ${percent(first.chance)}`,
        ...curve.map(
          ({ step, value, interval: [low, high], change }) =>
            `step ${String(step).padStart(8)}   ${percent(value)} (95 %: ${percent(low)} to ${percent(high)})${change === null ? "" : `, p = ${change.pValue.toPrecision(2)} against the one before`}`,
        ),
        "",
      ].join("\n"),
    );
  },
};
