/** Options that every adaptation shares, and how they become settings. */
import { resolve } from "node:path";
import {
  type AdaptationSettings,
  adaptationSettings,
  guardNames,
  guards,
  loraSettings,
  parseGuards,
} from "../../adaptation/index.ts";
import { parseSettings, UsageError } from "../../foundation/index.ts";
import type { AdaptCommonInput, AdaptEvent } from "../../jobs/index.ts";
import type { CommandInput, OptionDefinition } from "../command.ts";
import { formatSeconds, progressLine, say } from "../terminal.ts";

export const commonOptions = {
  output: { describe: "folder to write", placeholder: "folder" },
  epochs: { describe: "passes over the training examples", placeholder: "count", initial: "10" },
  steps: { describe: "optimizer steps, instead of --epochs", placeholder: "count" },
  batch: { describe: "examples of a step", placeholder: "count", initial: "16" },
  "learning-rate": {
    describe: "highest learning rate (default 5e-4, with --lora 2e-3); large models want a tenth",
    placeholder: "number",
  },
  "validate-every": { describe: "steps between validations (default a tenth of all)", placeholder: "steps" },
  patience: {
    describe: "validations without improvement after which it ends; 0: never",
    placeholder: "count",
    initial: "3",
  },
  lora: { describe: "train low-rank adapters instead of all weights" },
  rank: { describe: "of the adapters", placeholder: "number", initial: "8" },
  alpha: { describe: "the adapters' scale is alpha / rank", placeholder: "number", initial: "16" },
  "lora-dropout": { describe: "dropout of what goes into the adapters", placeholder: "share", initial: "0" },
  targets: {
    describe: "linear layers with adapters, as PEFT names them, e.g. q_proj,v_proj",
    placeholder: "names",
    initial: "all-linear",
  },
  merge: { describe: "write the whole model with the adapters merged, not the adapters alone" },
  general: {
    describe: 'rows of {"text"} that narrowing is measured on (default the run\'s own validation part)',
    placeholder: "file",
  },
  guard: {
    describe: `name=warn, name=stop or name=off, with a limit as name=stop:0.3; may be repeated: ${guardNames.join(", ")}`,
    placeholder: "rule",
    multiple: true,
  },
  licence: { describe: "SPDX expression of the training data, for the card", placeholder: "expression" },
  seed: { describe: "of order, dropout and new weights", placeholder: "number", initial: "1" },
  backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
  threads: { describe: "threads of the cpu backend", placeholder: "count" },
  precision: { describe: "f32, bf16 or auto", placeholder: "name", initial: "f32" },
  json: { describe: "print the report as one JSON object" },
} as const satisfies Readonly<Record<string, OptionDefinition>>;

/** What all methods are told. `lora`: whether adapters are trained whatever --lora says. */
export function commonInput(input: CommandInput, lora = input.flag("lora")): AdaptCommonInput {
  const [checkpoint] = input.positionals;
  const output = input.text("output");
  if (checkpoint === undefined || output === undefined) {
    throw new UsageError("a checkpoint folder and --output are needed", { remedy: "See --help." });
  }
  const [general, licence] = [input.text("general"), input.text("licence")];
  if (input.flag("merge") && !lora) throw new UsageError("--merge needs --lora: there are no adapters to merge");
  return {
    ...{
      checkpoint: resolve(checkpoint),
      output: resolve(output),
      settings: settingsOf(input, lora),
      merge: input.flag("merge"),
    },
    ...(general !== undefined && { general }),
    ...(licence !== undefined && { licence }),
    device: {
      backend: input.text("backend") ?? "auto",
      threads: input.number("threads", { minimum: 1, maximum: 256, whole: true }),
      precision: input.choice("precision", ["auto", "f32", "bf16"]),
    },
  };
}

function settingsOf(input: CommandInput, lora: boolean): AdaptationSettings {
  const whole = { minimum: 1, whole: true };
  const targets = input.text("targets")!;
  const patience = input.number("patience", { minimum: 0, whole: true })!;
  return parseSettings(
    adaptationSettings,
    {
      epochs: input.number("epochs", { minimum: 0.01 }),
      steps: input.number("steps", whole),
      batchExamples: input.number("batch", whole),
      learningRate: input.number("learning-rate", { minimum: 0 }) ?? (lora ? 2e-3 : 5e-4),
      validateEvery: input.number("validate-every", whole),
      patience: patience === 0 ? null : patience,
      seed: input.number("seed", { minimum: 0, whole: true }),
      guards: parseGuards(input.list("guard")),
      ...(lora && {
        lora: loraSettings.parse({
          rank: input.number("rank", whole),
          alpha: input.number("alpha", { minimum: 1e-6 }),
          dropout: input.number("lora-dropout", { minimum: 0, maximum: 0.99 }),
          targets: targets === "all-linear" ? targets : targets.split(",").map((name) => name.trim()),
        }),
      }),
    },
    "the options",
  );
}

/** Shows an adaptation while it runs. */
export function watchAdaptation(): { listen(event: AdaptEvent): void; end(): void } {
  const line = progressLine();
  const started = performance.now();
  return {
    listen(event) {
      if (event.kind === "warning") say(`tilth: ${event.message}`);
      else if (event.kind === "progress") say(event.stage);
      else if (event.kind === "validation") {
        const { step, trainLoss, validationLoss } = event;
        say(`  step ${step}: training loss ${trainLoss.toFixed(3)}, validation loss ${validationLoss.toFixed(3)}`);
      } else {
        const left = ((performance.now() - started) / 1000 / event.step) * (event.steps - event.step);
        line.line(`  step ${event.step} of ${event.steps}: loss ${event.loss.toFixed(3)}, ${formatSeconds(left)} left`);
      }
    },
    end: line.end,
  };
}

/** One line a guard, for the help. */
export const guardHelp = (): string[] =>
  guardNames.map((name) => `${name}: ${guards[name].summary} (limit ${guards[name].limit} ${guards[name].unit})`);
