/** The model card that travels with a checkpoint: Hugging Face front matter and what a reader must know. */
import type { CorpusCounts } from "../corpus/index.ts";
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
  readonly corpus: CorpusCounts;
  readonly licences: readonly { readonly expression: string; readonly decision: string; readonly share: number }[];
  readonly source: string;
}

/** README.md of a checkpoint folder. The stage is `base`: nothing but next-token pre-training has happened to it. */
export function modelCard(facts: ModelCardFacts): string {
  const rejected = Object.entries(facts.corpus.rejectedByReason).sort(([, a], [, b]) => b - a);
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
    `- Source of the text: ${facts.source}`,
    `- Made by: Tilth ${packageVersion()}`,
    "",
    "## Data",
    "",
    `${facts.corpus.documents} documents read, ${facts.corpus.kept} kept (${facts.corpus.keptBytes} bytes). The full report is in \`data-report.json\`.`,
    "",
    "| licence | decision | share of bytes |",
    "|---|---|---|",
    ...facts.licences.map(
      ({ expression, decision, share }) => `| ${expression} | ${decision} | ${(share * 100).toFixed(2)} % |`,
    ),
    "",
    "| rejected for | documents |",
    "|---|---|",
    ...rejected.map(([reason, count]) => `| ${reason} | ${count} |`),
    "",
    "Toxicity, personal data and coverage of evaluation sets were not measured.",
    "",
    "## Configuration",
    "",
    "```json",
    JSON.stringify(facts.configuration, null, 2),
    "```",
    "",
  ].join("\n");
}
