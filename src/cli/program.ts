/** Every command by its name: their code is loaded when it is used. */
import { packageVersion } from "../foundation/index.ts";
import type { CommandGroup } from "./command.ts";

const evaluation: CommandGroup = {
  summary: "what a checkpoint can do",
  commands: {
    efficiency: {
      summary: "how many labels pre-training saved, beside the same model from random weights",
      load: async () => (await import("./eval-efficiency.ts")).efficiency,
    },
    dynamics: {
      summary: "a task on every checkpoint of a run, as a curve",
      load: async () => (await import("./eval-dynamics.ts")).dynamics,
    },
    forgetting: {
      summary: "a continued run: domain and general text before and after, beside training from scratch",
      load: async () => (await import("./eval-forgetting.ts")).forgetting,
    },
    memorisation: {
      summary: "whether a checkpoint recites its training text word for word",
      load: async () => (await import("./eval-memorisation.ts")).memorisation,
    },
    coverage: {
      summary:
        "how much of the words, n-grams and topics of evaluation sets a corpus holds (also: tilth data coverage)",
      load: async () => (await import("./data/coverage.ts")).coverage,
    },
  },
  otherwise: {
    summary: "bits per byte on held-out documents, or a task's questions",
    load: async () => (await import("./eval.ts")).evaluate,
  },
};

/** One line a command. */
export const program: CommandGroup = {
  summary: `pre-training in TypeScript, version ${packageVersion()}`,
  commands: {
    quickstart: {
      summary: "the whole road in a few minutes: corpus, tokenizer, training, evaluation, samples, checkpoint",
      load: async () => (await import("./quickstart.ts")).quickstart,
    },
    init: {
      summary: "write a commented tilth.config.ts",
      load: async () => (await import("./init.ts")).init,
    },
    data: {
      summary: "build, report, why, sample: curate a corpus, and everything one may ask of it",
      load: async () => (await import("./data/index.ts")).data,
    },
    tokenizer: {
      summary: "train a byte-level BPE, extend one, encode text with one, look into one",
      load: async () => (await import("./tokenizer.ts")).tokenizer,
    },
    train: {
      summary: "train a model as a configuration file says, or --resume a run",
      load: async () => (await import("./train.ts")).train,
    },
    launch: {
      summary: "the same run on several ranks: MPI or Slurm",
      load: async () => (await import("./launch/index.ts")).launch,
    },
    eval: {
      summary: "bits per byte of a checkpoint on held-out documents, tasks, sample efficiency, training dynamics",
      load: async () => evaluation,
    },
    adapt: {
      summary: "fine-tune or align a checkpoint: classify, full, lora, sft, dpo, with guards",
      load: async () => (await import("./adapt/index.ts")).adapt,
    },
    embed: {
      summary: "vectors of texts, documents or pictures from a checkpoint",
      load: async () => (await import("./embed.ts")).embed,
    },
    search: {
      summary: "documents or pictures nearest to a query, in a file that embed wrote",
      load: async () => (await import("./search.ts")).search,
    },
    generate: {
      summary: "stream text from a checkpoint",
      load: async () => (await import("./generate.ts")).generate,
    },
    serve: {
      summary: "answer over HTTP as OpenAI's API does: completions, chat, embeddings",
      load: async () => (await import("./serve.ts")).serve,
    },
    ui: {
      summary: "a local page of curves, samples, data reports, lineage and plans, live while runs train",
      load: async () => (await import("./ui.ts")).ui,
    },
    inspect: {
      summary: "what a checkpoint, a .safetensors or a .gguf file holds",
      load: async () => (await import("./inspect.ts")).inspect,
    },
    diagnose: {
      summary: "where odd behaviour comes from: data coverage, fine-tuning or post-training",
      load: async () => (await import("./diagnose.ts")).diagnoseCommand,
    },
    influence: {
      summary: "training documents that an output comes near to: word for word, and by representation",
      load: async () => (await import("./influence.ts")).influence,
    },
    lineage: {
      summary: "where a checkpoint comes from: raw files, documents, steps; verify hashes them again",
      load: async () => (await import("./lineage.ts")).lineage,
    },
    export: {
      summary: "write a checkpoint as a Hugging Face folder or a GGUF file",
      load: async () => (await import("./export.ts")).exportCommand,
    },
    scale: {
      summary: "scaling laws: fit one to trained models, forecast larger ones",
      load: async () => (await import("./scale/index.ts")).scale,
    },
    plan: {
      summary: "from scratch, continue, fine-tune, retrieve or ask a hosted model: decided by figures",
      load: async () => (await import("./plan.ts")).plan,
    },
    completion: {
      summary: "a script that completes commands and options in bash, zsh or fish",
      load: async () => (await import("./completion.ts")).completion,
    },
    doctor: {
      summary: "what this machine has: backend, instruction set, threads, measured rates",
      load: async () => (await import("./doctor.ts")).doctor,
    },
  },
};
