/** The stages of a model's life: what each is for, what comes out, and what goes wrong in it. */

/** What a stage is, for its card. */
export interface StageFacts {
  readonly goal: string;
  readonly data: string;
  readonly output: string;
  readonly risks: string;
}

export const stages = {
  base: {
    goal: "learn broad patterns from the structure of the data itself, before any narrow task",
    data: "a large mixed corpus without labels",
    output: "a reusable checkpoint: weights and representations that later stages adapt",
    risks: "narrow, duplicated or noisy data, which later tuning cannot recover; rights; contaminated evaluation",
  },
  continued: {
    goal: "bring a base to a domain, a language or longer texts",
    data: "text of the domain, with a share of general text replayed",
    output: "a base checkpoint for the domain",
    risks: "forgetting what the base knew; an unwise learning rate; a tokenizer that does not fit",
  },
  "fine-tuned": {
    goal: "one task, learned from examples",
    data: "labelled examples, or text of one kind",
    output: "a model for that task",
    risks: "overfitting; narrowing: general ability is lost; groups served unequally",
  },
  instruct: {
    goal: "answer requests in a conversation",
    data: "prompts with good answers",
    output: "an assistant that follows a chat format",
    risks: "style learned instead of substance; safety regressions; narrowing",
  },
  aligned: {
    goal: "prefer better answers to worse ones",
    data: "pairs of answers, one preferred",
    output: "an assistant whose answers people prefer",
    risks: "over-optimised style such as length; lost diversity; safety regressions; drift from the reference",
  },
} as const satisfies Readonly<Record<string, StageFacts>>;

export type Stage = keyof typeof stages;

export const isStage = (name: string): name is Stage => Object.hasOwn(stages, name);

/** A stage as a table for a card. */
export function stageTable(stage: Stage): string[] {
  const { goal, data, output, risks } = stages[stage];
  return [
    "| stage | main goal | data | output | main risks |",
    "|---|---|---|---|---|",
    `| ${stage} | ${goal} | ${data} | ${output} | ${risks} |`,
  ];
}
