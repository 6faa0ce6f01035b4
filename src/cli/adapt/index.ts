/** `tilth adapt …`: one line a subcommand, each in a file of its own. */
import type { CommandGroup } from "../command.ts";

export const adapt: CommandGroup = {
  summary: "after pre-training: fine-tune and align a checkpoint, with guards",
  commands: {
    predict: {
      summary: "the class of each text, from a checkpoint that classify has made",
      load: async () => (await import("./predict.ts")).predict,
    },
    full: {
      summary: "all weights, on texts or on prompts with responses",
      load: async () => (await import("./text.ts")).full,
    },
    lora: {
      summary: "low-rank adapters, on texts or on prompts with responses; saved as PEFT has them",
      load: async () => (await import("./text.ts")).lora,
    },
    sft: {
      summary: "instruction tuning on conversations",
      load: async () => (await import("./sft.ts")).sft,
    },
    dpo: {
      summary: "preference tuning on pairs of responses: DPO, IPO",
      load: async () => (await import("./dpo.ts")).dpo,
    },
    "best-of": {
      summary: "several answers to each prompt, the best first, without a reward model",
      load: async () => (await import("./best-of.ts")).bestOf,
    },
    merge: {
      summary: "an adapter merged into its model's weights",
      load: async () => (await import("./merge.ts")).merge,
    },
    classify: {
      summary: "classes of texts, words or pictures: a head on a GPT, BERT or CLIP",
      load: async () => (await import("./classify.ts")).classify,
    },
  },
};
