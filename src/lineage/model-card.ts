/** The model card that travels with a checkpoint: Hugging Face front matter and what a reader must know. */
import { packageVersion } from "../foundation/index.ts";

/** What a card tells. */
export interface ModelCardFacts {
  readonly parameters: number;
  readonly configuration: object;
  readonly training: {
    readonly steps: number;
    readonly tokens: number;
    readonly learningRate: number;
    readonly seed: number;
  };
  /** The data report as Markdown, from a heading of the second level on. */
  readonly data: string;
  /** What was read, for people. */
  readonly sources: readonly string[];
}

/** README.md of a checkpoint folder. The stage is `base`: nothing but next-token pre-training has happened to it. */
export function modelCard(facts: ModelCardFacts): string {
  return [
    "---",
    "library_name: transformers",
    "pipeline_tag: text-generation",
    "tags: [tilth, base-model]",
    "---",
    "",
    "# A base model pre-trained with Tilth",
    "",
    "Stage: **base**. It continues text; it was not tuned to follow instructions, and nothing guards what it writes.",
    "",
    `- Parameters: ${facts.parameters}`,
    `- Trained on: ${facts.training.tokens} tokens in ${facts.training.steps} steps (next token, seed ${facts.training.seed})`,
    `- Source of the text: ${facts.sources.join(", ")}`,
    `- Made by: Tilth ${packageVersion()}`,
    "",
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
