/** The commented configuration that `tilth init` writes. */
import { UsageError } from "../foundation/index.ts";
import { runPresets } from "./presets.ts";

/** What the template is for. */
export interface TemplateOptions {
  /** A name of `templateNames`. */
  readonly template: string;
  /** Folder of the user's text; for `packages`, the node_modules to read. */
  readonly corpus: string;
  readonly runFolder: string;
  /** A name of `runPresets`, whose settings the file then leaves out. */
  readonly preset?: string;
}

interface Template {
  readonly describe: string;
  readonly source: (corpus: string) => string;
  readonly licences: string;
}

const ownText = (corpus: string) => `{ reader: "folder", path: ${JSON.stringify(corpus)} }`;
const ownLicences = `// Your own text needs no licence file: what would be held for review trains too.
      licences: { accept: ["allow", "attribute", "review"] },`;

const templates: Readonly<Record<string, Template>> = {
  text: {
    describe: "a folder of text, Markdown or code",
    source: ownText,
    licences: ownLicences,
  },
  packages: {
    describe: "installed npm packages, by their licences",
    source: (corpus) => `{ reader: "npm", path: ${JSON.stringify(corpus)} }`,
    licences: `// Packages train where their SPDX licence allows it; \`tilth data report\` shows the shares.
      licences: { accept: ["allow", "attribute"] },`,
  },
};

const images = "images";

/** What `tilth init --template` takes, with what each is for. */
export const templateNames: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(templates).map(([name, { describe }]) => [name, describe])),
  [images]: "pictures with captions",
};

/** The text of `tilth.config.ts`. Throws UsageError where preset and template do not go together. */
export function templateOf(options: TemplateOptions): string {
  if (options.template === images || options.preset !== undefined) {
    return presetOf(options, options.preset ?? "clip-tiny");
  }
  const { source, licences } = templates[options.template];
  const { corpus, runFolder } = options;
  return `import { defineRun } from "tilth";

// Check it with: tilth train --dry-run. Override one value with: tilth train --set training.steps=500
export default defineRun({
  // The corpus, shards, log and checkpoints of the run go here.
  runFolder: ${JSON.stringify(runFolder)},

  corpus: {
    sources: [${source(corpus)}],
    settings: {
      ${licences}
    },
  },

  tokenizer: {
    // Byte-level BPE, trained on the corpus. Some 4k for a few MB of text, 8k–32k for more.
    vocabularySize: 4096,
  },

  model: {
    architecture: "llama",
    layers: 6,
    width: 256,
    attentionHeads: 8,
  },

  training: {
    steps: 2000,
    sequenceLength: 256, // tokens
    batchSequences: 16, // sequences of one optimizer step
    learningRate: 4e-3,
    schedule: { kind: "warmup-stable-decay", warmupSteps: 50, decayShare: 0.4, finalShare: 0.05 },
    optimizer: { kind: "muon", weightDecay: 0.1 },
    validateEvery: 200,
    // What the model writes after these at every validation, shown by: tilth ui
    // samples: { prompts: ["The "] },
    checkpointEvery: 500,
    seed: 1,
  },
});
`;
}

function presetOf({ template, corpus, runFolder }: TemplateOptions, name: string): string {
  const { objective, describe, training } = runPresets[name];
  const overImages = objective.kind === "contrastive";
  if (overImages !== (template === images)) {
    throw new UsageError(`the preset ${name} learns from ${overImages ? "pictures with captions" : "text"}`, {
      remedy: `Add --template ${overImages ? images : Object.keys(templates).join(" or --template ")}`,
    });
  }
  const data = overImages
    ? `images: { path: ${JSON.stringify(corpus)} },`
    : `corpus: {
    sources: [${templates[template].source(corpus)}],
    settings: {
      ${templates[template].licences}
    },
  },`;
  return `import { defineRun } from "tilth";

// Check it with: tilth train --dry-run, which prints what the preset sets. Whatever stands here stands above it.
export default defineRun({
  // ${describe}; the objective ${objective.kind}.
  preset: ${JSON.stringify(name)},

  // The ${overImages ? "split" : "corpus, shards"}, log and checkpoints of the run go here.
  runFolder: ${JSON.stringify(runFolder)},

  ${data}

  training: {
    steps: ${training.steps},
    seed: 1,
  },
});
`;
}
