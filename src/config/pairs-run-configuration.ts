/** What a run over pictures with captions is told: one strict object, every default in it. */
import { z } from "zod";
import { parseSettings, settingsObject, UsageError } from "../foundation/index.ts";
import { imageTextArchitectureNamed, imageTextArchitectureNames } from "../models/index.ts";
import { contrastive } from "../objectives/index.ts";
import { contrastiveConfiguration, telemetryConfiguration } from "../training/index.ts";
import { deviceConfiguration } from "./device.ts";

const share = z.number().min(0).max(0.9);

/** A whole run of the contrastive objective. Relative paths start at the configuration file's folder. */
export const pairsRunConfiguration = settingsObject("run", {
  runFolder: z.string().min(1).describe("where the run's split, tokenizer, log and checkpoints go"),
  device: deviceConfiguration.prefault({}),
  images: settingsObject("images", {
    path: z.string().min(1).describe("a folder, captions file or archive of pictures with captions"),
    template: z.string().optional().describe("the caption of a class's folder, with {class}"),
    background: z.string().optional().describe('a colour such as "#ffffff" under transparent pixels'),
    validationShare: share.default(0.1).describe("share of the groups that is held out to watch the run by"),
    testShare: share.default(0.2).describe("share of the groups that is held out for the figures in the end"),
  }),
  tokenizer: settingsObject("tokenizer", { vocabularySize: z.int().min(257).max(1_000_000).default(8192) }).prefault(
    {},
  ),
  /** The architecture's own settings stand beside its name; its vocabulary is the tokenizer's. */
  model: z.looseObject({ architecture: z.string().default("clip") }),
  objective: settingsObject("objective", { kind: z.literal("contrastive") }),
  training: contrastiveConfiguration,
  telemetry: telemetryConfiguration.prefault({}),
});

export type PairsRunConfiguration = z.output<typeof pairsRunConfiguration>;
export type PairsRunConfigurationInput = z.input<typeof pairsRunConfiguration>;

/** The run with all defaults. Throws UsageError that names every setting that is wrong or unknown. */
export function parsePairsRunConfiguration(value: unknown, from: string): PairsRunConfiguration {
  const configuration = parseSettings(pairsRunConfiguration, value, `the settings of ${from}`);
  const { architecture: name, ...sizes } = configuration.model;
  const architecture = imageTextArchitectureNamed(name);
  if (architecture === undefined) {
    throw new UsageError(`the objective ${contrastive.name} trains a model of images and texts; "${name}" is none`, {
      remedy: `Set model.architecture to one of: ${imageTextArchitectureNames.join(", ")}`,
    });
  }
  // A mistake in the model must show before pictures are read; its vocabulary is known later.
  const { vocabularySize } = configuration.tokenizer;
  parseSettings(architecture.schema, { ...sizes, vocabularySize, endOfText: 0 }, "the settings of the model");
  if (configuration.images.validationShare + configuration.images.testShare > 0.9) {
    throw new UsageError("images.validationShare and images.testShare leave less than a tenth to train on");
  }
  return configuration;
}
