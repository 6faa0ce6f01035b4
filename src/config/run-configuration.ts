/** What a run is told, from the raw files to the evaluation: one strict object, every default in it. */
import { z } from "zod";
import { corpusSettings, corpusSources, evaluationSets, mixtureSettings } from "../corpus/index.ts";
import { parseSettings, positiveInteger, settingsObject, UsageError } from "../foundation/index.ts";
import { type Architecture, architectureNamed, architecturesOf, type ContextChange } from "../models/index.ts";
import { type ChosenObjective, chooseObjective, objectiveSettings } from "../objectives/index.ts";
import { tokenizerSettings } from "../tokenizer/index.ts";
import { readModelConfiguration, telemetryConfiguration, trainingConfiguration } from "../training/index.ts";
import { continuationConfiguration } from "./continuation.ts";
import { deviceConfiguration } from "./device.ts";
import {
  type PairsRunConfiguration,
  type PairsRunConfigurationInput,
  parsePairsRunConfiguration,
} from "./pairs-run-configuration.ts";
import { withPreset } from "./presets.ts";

const evaluationConfiguration = settingsObject("evaluation", {
  window: positiveInteger.optional().describe("tokens; the training sequence length if left out"),
  stride: positiveInteger.optional().describe("tokens scored by every window after the first; half a window"),
});

/** A whole run. Relative paths start at the configuration file's folder. */
export const runConfiguration = settingsObject("run", {
  runFolder: z.string().min(1).describe("where the run's corpus, shards, log and checkpoints go"),
  plugins: z
    .array(z.string().min(1))
    .default([])
    .describe("files that register filters or objectives of your own; see docs/extending.md"),
  continueFrom: z
    .string()
    .min(1)
    .optional()
    .describe(
      "a Hugging Face folder whose model, weights and tokenizer the run starts from; or a run, for its last checkpoint",
    ),
  continuation: continuationConfiguration.prefault({}),
  device: deviceConfiguration.prefault({}),
  corpus: settingsObject("corpus", {
    sources: corpusSources,
    settings: corpusSettings.prefault({}),
    evaluationSets: evaluationSets
      .default([])
      .describe("evaluation sets whose texts are taken out of the training set"),
    against: z
      .array(z.string().min(1))
      .default([])
      .describe("folders of corpora that were trained on before: copies of what they hold are rejected"),
  }),
  mixture: mixtureSettings.optional().describe("shares, weights and repeats of what trains; left out, every text once"),
  tokenizer: tokenizerSettings.prefault({}),
  /** The architecture's own settings stand beside its name; its vocabulary is the tokenizer's. */
  model: z.looseObject({ architecture: z.string().default("llama") }).prefault({}),
  objective: objectiveSettings.prefault({}),
  training: trainingConfiguration,
  telemetry: telemetryConfiguration.prefault({}),
  evaluation: evaluationConfiguration.prefault({}),
});

export type RunConfiguration = z.output<typeof runConfiguration>;
export type RunConfigurationInput = z.input<typeof runConfiguration>;

/** A run as it is written: with a preset, what that sets may be left out. */
export type WrittenRun = Written<RunConfigurationInput> | Written<PairsRunConfigurationInput>;

type Written<Input extends { training: unknown; model?: unknown; objective?: unknown }> =
  | Input
  | (Omit<Input, "training" | "model" | "objective"> & {
      readonly preset: string;
      readonly training?: Partial<Input["training"] & object>;
      readonly model?: Partial<Input["model"] & object>;
      readonly objective?: Partial<Input["objective"] & object>;
    });

/** The identity, for the editor's completion and checks: `export default defineRun({ … })` in `tilth.config.ts`. */
export function defineRun<Run extends WrittenRun>(configuration: Run): Run {
  return configuration;
}

/** A run of any objective, with all defaults and those of its preset. Throws as the two that it chooses from. */
export function parseRun(value: unknown, from: string): RunConfiguration | PairsRunConfiguration {
  const whole = withPreset(value);
  const { objective } = z.looseObject({ objective: z.unknown() }).catch({ objective: undefined }).parse(whole);
  const { kind } = z.looseObject({ kind: z.unknown() }).catch({ kind: undefined }).parse(objective);
  return kind === "contrastive" ? parsePairsRunConfiguration(whole, from) : parseRunConfiguration(whole, from);
}

/** Whether a run is over pictures with captions. */
export function isPairsRun(run: RunConfiguration | PairsRunConfiguration): run is PairsRunConfiguration {
  return "images" in run;
}

/** A run over text with all defaults. Throws UsageError that names every setting that is wrong or unknown. */
export function parseRunConfiguration(value: unknown, from: string): RunConfiguration {
  const configuration = parseSettings(runConfiguration, value, `the settings of ${from}`);
  requireBase(configuration);
  // The model is complete only once the vocabulary is known; a mistake in it must show before the corpus is built.
  const { architecture } = modelOf(configuration, configuration.tokenizer.vocabularySize);
  const { definition } = objectiveOf(configuration);
  if (!definition.families.includes(architecture.family)) {
    throw new UsageError(
      `the objective ${definition.name} trains a model of the kind ${definition.families.join(" or ")}; ${architecture.name} is of the kind ${architecture.family}`,
      { remedy: `Set model.architecture to one of: ${architecturesOf(definition.families).join(", ")}` },
    );
  }
  if (configuration.training.samples !== undefined && architecture.family !== "decoder") {
    throw new UsageError(`training.samples asks for written text; ${architecture.name} is an encoder and writes none`, {
      remedy: "Leave out training.samples.",
    });
  }
  if (configuration.tokenizer.kind === "word-piece" && !definition.families.includes("encoder")) {
    throw new UsageError(
      `a word-piece tokenizer loses white space, which the objective ${definition.name} has to write`,
      {
        remedy: "Set tokenizer.kind to byte-pair, or train the objective masked-token.",
      },
    );
  }
  return configuration;
}

/** The run's objective, its settings checked. Throws UsageError naming what is wrong with them. */
export function objectiveOf({ objective, training }: RunConfiguration): ChosenObjective {
  return chooseObjective(objective, training.sequenceLength);
}

/** The model's architecture and its configuration: for a vocabulary of that size, or as `continueFrom` states it. */
export function modelOf(
  configuration: RunConfiguration,
  vocabularySize: number,
): { architecture: Architecture<unknown>; configuration: unknown } {
  const { sequenceLength } = configuration.training;
  const { continueFrom } = configuration;
  const model =
    continueFrom === undefined
      ? configuredModel(configuration, vocabularySize)
      : continuedModel(configuration, continueFrom, vocabularySize);
  const { context } = model.architecture.dimensions(model.configuration);
  if (context < sequenceLength) {
    throw new UsageError(`training.sequenceLength is ${sequenceLength}, but model.context is ${context} tokens`, {
      remedy: continueFrom
        ? "Lower training.sequenceLength, or set continuation.context and continuation.ropeScaling for a longer one."
        : "Raise model.context or lower training.sequenceLength.",
    });
  }
  return model;
}

/** The base's configuration with a longer context, and with rows for a tokenizer that has grown. */
function continuedModel({ continuation }: RunConfiguration, continueFrom: string, vocabularySize: number) {
  const { architecture, configuration: base } = readModelConfiguration(continueFrom);
  const { context, ropeScaling, ropeTheta, extendTokenizer } = continuation;
  const { context: before, vocabularySize: rows } = architecture.dimensions(base);
  let configuration = base;
  if (context !== undefined && context !== before) {
    if (context < before) {
      throw new UsageError(`continuation.context is ${context}, below the ${before} tokens of ${continueFrom}`, {
        remedy: "Leave it out: training.sequenceLength may be shorter than the context.",
      });
    }
    if (architecture.withContext === undefined) {
      throw new UsageError(
        `${architecture.name} does not scale rotary positions here: its context of ${before} tokens cannot be extended to ${context}`,
        {
          remedy:
            "Continue without continuation.context, or from a model of the Llama family (llama, qwen2, qwen3, mistral).",
        },
      );
    }
    const scaling = ropeScaling as ContextChange["ropeScaling"];
    configuration = architecture.withContext(base, { context, ropeTheta, ropeScaling: scaling });
  } else if (ropeScaling !== undefined || ropeTheta !== undefined) {
    throw new UsageError("continuation.ropeScaling and ropeTheta make room for a longer context, which is not set", {
      remedy: `Set continuation.context to more than the base's ${before} tokens.`,
    });
  }
  if (extendTokenizer === undefined) return { architecture, configuration };
  return {
    architecture,
    configuration: { ...(configuration as object), vocabularySize: Math.max(rows, vocabularySize) },
  };
}

/** Throws UsageError where settings of a continuation have nothing to continue. */
function requireBase({ continueFrom, continuation }: RunConfiguration): void {
  const { acceptRisk: _, ...set } = continuation;
  const [name] = Object.keys(set);
  if (continueFrom !== undefined || name === undefined) return;
  throw new UsageError(`continuation.${name} is set, but there is no model to continue`, {
    remedy: "Set continueFrom, or: tilth train --continue-from <folder>",
  });
}

function configuredModel({ model, training }: RunConfiguration, vocabularySize: number) {
  const { architecture: name, ...sizes } = model;
  const architecture = architectureNamed(name);
  const configuration = parseSettings(
    { safeParse: (value: unknown) => architecture.schema.safeParse(value) } as typeof architecture.schema,
    { context: training.sequenceLength, ...sizes, vocabularySize },
    "the settings of the model",
  );
  return { architecture, configuration };
}
