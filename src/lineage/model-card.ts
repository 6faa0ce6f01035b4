/** The model card that travels with a checkpoint: Hugging Face front matter and what a reader must know. */
import { packageVersion } from "../foundation/index.ts";

/** What a checkpoint of a family does, for its card. */
const families = {
  decoder: {
    pipeline: "text-generation",
    stage: "It continues text; it was not tuned to follow instructions, and nothing guards what it writes.",
  },
  encoder: {
    pipeline: "fill-mask",
    stage: "It fills gaps in text and gives representations of it; a task needs a head trained on top.",
  },
} as const;

/** What a card tells. */
export interface ModelCardFacts {
  readonly parameters: number;
  readonly family: keyof typeof families;
  /** The objective's name, e.g. `next-token`. */
  readonly objective: string;
  readonly configuration: object;
  readonly training: {
    readonly steps: number;
    readonly tokens: number;
    readonly learningRate: number;
    readonly seed: number;
  };
  /** Lines about the model that this one continues, where it does. */
  readonly continuation?: readonly string[];
  /** The data report as Markdown, from a heading of the second level on. */
  readonly data: string;
  /** What was read, for people. */
  readonly sources: readonly string[];
}

/** README.md of a checkpoint folder. The stage is `base`: nothing but pre-training has happened to it. */
export function modelCard(facts: ModelCardFacts): string {
  const { pipeline, stage } = families[facts.family];
  return [
    "---",
    "library_name: transformers",
    `pipeline_tag: ${pipeline}`,
    "tags: [tilth, base-model]",
    "---",
    "",
    "# A base model pre-trained with Tilth",
    "",
    `Stage: **base**. ${stage}`,
    "",
    `- Parameters: ${facts.parameters}`,
    `- Trained on: ${facts.training.tokens} tokens in ${facts.training.steps} steps (objective ${facts.objective}, seed ${facts.training.seed})`,
    `- Source of the text: ${facts.sources.join(", ")}`,
    `- Made by: Tilth ${packageVersion()}`,
    "",
    ...(facts.continuation === undefined ? [] : ["## Continued pre-training", "", ...facts.continuation, ""]),
    facts.data.trimEnd(),
    "",
    "The whole report is in `data-report.html` and `data-report.json`, whose work it was in `ATTRIBUTION.md`.",
    "",
    "## Configuration",
    "",
    "```json",
    JSON.stringify(facts.configuration, null, 2),
    "```",
    "",
  ].join("\n");
}
