/** What speaks for a stage: each finding with the stages that it makes likelier, and by how much. */
import { isStage, type Stage } from "./stages.ts";

/** One finding. Weights are natural logarithms of likelihood ratios, judged by us, not measured: 3 is about 20 to 1. */
export interface Evidence {
  readonly kind: "lineage" | "card" | "architecture" | "adapter" | "chat template" | "special tokens" | "behaviour";
  readonly finding: string;
  readonly weights: Readonly<Partial<Record<Stage, number>>>;
}

/** What a folder states of itself. All of it may be absent. */
export interface FolderFacts {
  /** The commands that made it, newest first, the stage that they lead to, and whether its weights are those of its record. */
  readonly lineage?: { readonly commands: readonly string[]; readonly stage?: Stage; readonly weightsAgree: boolean };
  /** The stage that adaptation.json names. */
  readonly adaptation?: string;
  /** README.md. */
  readonly card?: string;
  /** As config.json has it. */
  readonly architecture?: string;
  readonly isAdapter: boolean;
  readonly chatTemplate?: string;
  readonly specialTokens: readonly string[];
}

/** Tokens that stand between the turns of a conversation in published formats. */
const turnToken =
  /^<\|?(im_start|im_end|start_header_id|end_header_id|eot_id|eom_id|user|assistant|system|end|turn|start_of_turn|end_of_turn)\|?>$|^\[\/?INST\]$|^<<\/?SYS>>$/;
const taskHead =
  /For(Sequence|Token)Classification|ForQuestionAnswering|ForMultipleChoice|RewardModel|ForImageClassification/;

/** The evidence in what a folder states. */
export function evidenceOf(facts: FolderFacts): Evidence[] {
  const found: Evidence[] = [];
  const { lineage, adaptation, card, architecture, isAdapter, chatTemplate, specialTokens } = facts;
  if (lineage !== undefined) {
    const { stage } = lineage;
    const made = lineage.commands.map((command) => `tilth ${command}`).join(" after ");
    found.push({
      kind: "lineage",
      finding: lineage.weightsAgree
        ? `made by ${made}`
        : `made by ${made}, but its weights are not those that the record describes`,
      weights: lineage.weightsAgree && stage !== undefined ? { [stage]: 5 } : {},
    });
  }
  if (adaptation !== undefined && isStage(adaptation)) {
    found.push({ kind: "lineage", finding: `adaptation.json says "${adaptation}"`, weights: { [adaptation]: 3 } });
  }
  if (card !== undefined) found.push(...cardEvidence(card));
  if (architecture !== undefined && taskHead.test(architecture)) {
    found.push({
      kind: "architecture",
      finding: `${architecture} has a head for a task`,
      weights: { "fine-tuned": 4 },
    });
  }
  if (isAdapter)
    found.push({
      kind: "adapter",
      finding: "it is an adapter, trained over another model",
      weights: { "fine-tuned": 2, instruct: 1 },
    });
  if (chatTemplate !== undefined) {
    // Some publishers ship the template with the base too.
    found.push({ kind: "chat template", finding: "it has a chat template", weights: { instruct: 1.2, aligned: 1 } });
  }
  const turns = specialTokens.filter((token) => turnToken.test(token));
  if (turns.length > 0) {
    found.push({
      kind: "special tokens",
      finding: `tokens between turns: ${turns.slice(0, 4).join(" ")}`,
      weights: { instruct: 0.5, aligned: 0.4 },
    });
  }
  return found;
}

/** Words of a card and the stage that they speak for, the more telling first; the first that matches counts. */
const cardWords: readonly (readonly [RegExp, Stage, number])[] = [
  [/^tags:.*\b(dpo|ipo|orpo|kto|rlhf|aligned)\b/im, "aligned", 2],
  [/^tags:.*\b(sft|instruct|chat|conversational)\b/im, "instruct", 2],
  [/^base_model_relation:\s*(finetune|adapter)/im, "fine-tuned", 1.5],
  [/\b(instruction-tuned|instruct model|chat model)\b/i, "instruct", 1.5],
  [/\bcontinued pre-?training\b/i, "continued", 1],
  [/^tags:.*\bbase-model\b/im, "base", 2],
  [/\b(base model|pre-?trained from scratch)\b/i, "base", 1],
];

function cardEvidence(card: string): Evidence[] {
  const stated = /^Stage: \*\*([a-z-]+)\*\*/m.exec(card)?.[1];
  if (stated !== undefined && isStage(stated)) {
    return [{ kind: "card", finding: `its card states the stage "${stated}"`, weights: { [stated]: 3 } }];
  }
  for (const [words, stage, weight] of cardWords) {
    const match = words.exec(card)?.[0];
    if (match !== undefined) {
      return [{ kind: "card", finding: `its card says "${match.slice(0, 60)}"`, weights: { [stage]: weight } }];
    }
  }
  return [];
}
