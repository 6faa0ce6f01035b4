import { describe, expect, it } from "vitest";
import {
  evidenceOf,
  type FolderFacts,
  judgeStage,
  missingFrom,
  modelCard,
  type Stage,
  stages,
} from "../../src/lineage/index.ts";

const nothing: FolderFacts = { isAdapter: false, specialTokens: [] };
const judge = (facts: Partial<FolderFacts>) => judgeStage(evidenceOf({ ...nothing, ...facts }));
const made = (stage: Stage, ...commands: string[]) => ({ lineage: { commands, stage, weightsAgree: true } });
const card = (base?: string) =>
  modelCard({
    ...{
      parameters: 1000,
      family: "decoder",
      objective: "next-token",
      configuration: {},
      data: "## Data\n",
      sources: ["notes"],
    },
    training: { steps: 10, tokens: 100, learningRate: 1e-3, seed: 1 },
    ...(base !== undefined && { base }),
  });
const template =
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}";

describe("the stage of a checkpoint", () => {
  it("is what its lineage says", () => {
    for (const stage of Object.keys(stages) as Stage[]) expect(judge(made(stage, "train")).stage).toBe(stage);
    expect(judge(made("base", "train")).confidence).toBeGreaterThan(0.9);
  });

  it("is not believed where other weights lie beside the record", () => {
    const changed = judge({ lineage: { commands: ["train"], stage: "base", weightsAgree: false } });
    expect(changed.stage).toBe("unknown");
    expect(changed.evidence[0].finding).toContain("its weights are not those that the record describes");
  });

  it("is what its card states, or what a published card gives away", () => {
    expect(judge({ card: card() }).stage).toBe("base");
    expect(judge({ card: card("gpt2") }).stage).toBe("continued");
    expect(judge({ card: "---\ntags: [dpo]\n---\n" }).stage).toBe("aligned");
    expect(judge({ card: "---\ntags: [conversational]\n---\n", chatTemplate: template }).stage).toBe("instruct");
    expect(judge({ card: "# Qwen\nThis is an instruction-tuned model.", chatTemplate: template }).stage).toBe(
      "instruct",
    );
  });

  it("is fine-tuned where there is a head for a task", () => {
    expect(judge({ architecture: "BertForSequenceClassification" }).stage).toBe("fine-tuned");
    expect(judge({ isAdapter: true }).stage).toBe("fine-tuned");
  });

  it("is unknown, not guessed, where too little is left", () => {
    expect(judge({}).stage).toBe("unknown");
    expect(judge({ architecture: "LlamaForCausalLM" }).stage).toBe("unknown");
    // Some publishers ship template and turn tokens with the base.
    expect(judge({ chatTemplate: template, specialTokens: ["<|im_start|>", "<|im_end|>"] }).stage).not.toBe("base");
    expect(judge({ specialTokens: ["<|im_start|>", "<|im_end|>"] }).stage).toBe("unknown");
    expect(judge({ card: "# My model\nTrained on things." }).stage).toBe("unknown");
  });

  it("is unknown where the evidence is against itself", () => {
    expect(judge({ card: "Stage: **base**.\n", adaptation: "instruct" }).stage).toBe("unknown");
  });
});

describe("what a card leaves out", () => {
  it("is named", () => {
    expect(missingFrom(undefined)[0]).toBe("the model card (README.md)");
    expect(missingFrom("# A model\n")).toContain("risks and limits");
    expect(missingFrom(card())).not.toContain("risks and limits");
    expect(missingFrom(card())).not.toContain("the model it comes from");
    expect(missingFrom(card("gpt2"))).not.toContain("the model it comes from");
    expect(missingFrom(card().replace(/^Stage.*$/m, "Stage: **fine-tuned**"))).toContain("the model it comes from");
  });
});
