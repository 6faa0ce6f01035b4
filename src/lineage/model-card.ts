/** The model card that travels with a checkpoint: Hugging Face front matter and what a reader must know. */
import { packageVersion } from "../foundation/index.ts";
import { stageTable } from "./stage/index.ts";

/** What a checkpoint of a family does, for its card. */
const families = {
  decoder: {
    pipeline: "text-generation",
    use: "It continues text; it was not tuned to follow instructions, and nothing guards what it writes.",
  },
  encoder: {
    pipeline: "fill-mask",
    use: "It fills gaps in text and gives representations of it; a task needs a head trained on top.",
  },
} as const;

/** What a card tells. */
export interface ModelCardFacts {
  readonly parameters: number;
  readonly family: keyof typeof families;
  /** Name of the checkpoint that training started from; left out where it started from random weights. */
  readonly base?: string;
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

/** README.md of a checkpoint folder of pre-training: its stage is `base`, or `continued` where it started from a checkpoint. */
export function modelCard(facts: ModelCardFacts): string {
  const { pipeline, use } = families[facts.family];
  const stage = facts.base === undefined ? "base" : "continued";
  return [
    "---",
    "library_name: transformers",
    `pipeline_tag: ${pipeline}`,
    `tags: [tilth, ${stage === "base" ? "base-model" : "continued-pretraining"}]`,
    ...(facts.base === undefined ? [] : [`base_model: ${JSON.stringify(facts.base)}`]),
    "---",
    "",
    stage === "base"
      ? "# A base model pre-trained with Tilth"
      : "# A base model whose pre-training was continued with Tilth",
    "",
    `Stage: **${stage}**. ${use}`,
    "",
    ...stageTable(stage),
    "",
    ...(facts.base === undefined ? [] : [`- Continues: ${facts.base}`]),
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
