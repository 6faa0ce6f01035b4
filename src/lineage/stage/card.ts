/** What a reader of a model card looks for, and what of it is not there. */

const expected: readonly { readonly name: string; readonly pattern: RegExp; readonly when?: RegExp }[] = [
  {
    name: "stage (base, continued, fine-tuned, instruct, aligned)",
    pattern: /^Stage: \*\*|^tags:.*(base-model|instruct|chat|finetune)/im,
  },
  { name: "licence of the weights", pattern: /^licen[sc]e:/im },
  { name: "what it was trained on", pattern: /training data|trained on|^datasets:/im },
  {
    name: "licences of the data",
    pattern: /licen[sc]es?\b.*(data|text|document)|data.*licen[sc]e|By licence|Licensing/i,
  },
  { name: "deduplication", pattern: /deduplicat|duplicates/i },
  { name: "evaluation", pattern: /evaluation|bits per byte|perplexity|accuracy/i },
  { name: "contamination or coverage of evaluation sets", pattern: /contaminat|coverage/i },
  { name: "risks and limits", pattern: /risks?\b|limitations?|not tuned|bias/i },
  { name: "intended use", pattern: /intended use|main goal|what it is for|^pipeline_tag:/im },
  {
    name: "the model it comes from",
    pattern: /^base_model:|Parent:/m,
    when: /^Stage: \*\*(?!base)|^tags:.*(instruct|chat|fine-?tun|adapter)/im,
  },
];

/** Names of what is missing; all of it where there is no card. */
export function missingFrom(card: string | undefined): string[] {
  if (card === undefined)
    return ["the model card (README.md)", ...expected.filter(({ when }) => when === undefined).map(({ name }) => name)];
  return expected
    .filter(({ pattern, when }) => (when === undefined || when.test(card)) && !pattern.test(card))
    .map(({ name }) => name);
}
