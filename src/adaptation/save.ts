/** Writes an adapted checkpoint: a Hugging Face folder, or an adapter in PEFT's layout. */
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ParameterArena } from "../engine/index.ts";
import { type SafetensorsEntry, writeSafetensors } from "../formats/index.ts";
import { canonicalJson, hashOf, publishFolder, writeFileAtomically } from "../foundation/index.ts";
import { type Activity, writeRecord } from "../lineage/index.ts";
import { mappedTensor, transposed, type WeightMapping } from "../models/index.ts";
import { readHuggingFaceConfiguration } from "../training/index.ts";
import { adaptationCard } from "./card.ts";
import type { HeadNames } from "./heads/index.ts";
import { type LoraAdapter, type PeftTask, writePeftFolder } from "./lora/index.ts";
import type { AdaptableModel } from "./model.ts";
import { type AdaptationReport, adaptationFile } from "./report.ts";

/** A head with the classes that it tells apart. */
export interface SavedHead {
  readonly arena: ParameterArena;
  readonly names: HeadNames;
  readonly classes: readonly string[];
  /** The token that texts are filled up with, by which transformers finds their ends. */
  readonly padding?: number;
}

export interface SaveOptions {
  readonly model: AdaptableModel;
  readonly head?: SavedHead;
  /** Written alone, in PEFT's layout, or merged into the weights first: as the report's `weights` says. */
  readonly adapter?: LoraAdapter;
  readonly task: PeftTask;
  /** Hugging Face's name of the task, for the card. */
  readonly pipeline: string;
  readonly report: AdaptationReport;
  /** Further files by name, which replace the parent's. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What of the parent's folder stays true. */
const travelling = [
  ...["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"],
  ...["vocab.txt", "vocab.json", "merges.txt", "preprocessor_config.json"],
  ...["ATTRIBUTION.md", "data-report.json", "data-report.html"],
];

/** Writes the folder whole or not at all. */
export async function saveAdapted(folder: string, options: SaveOptions): Promise<void> {
  const { adapter, head, report } = options;
  const parent = report.parent.path;
  if (report.weights === "merged adapters") adapter?.merge();
  await publishFolder(folder, async (temporary) => {
    mkdirSync(temporary, { recursive: true });
    for (const name of travelling) {
      if (existsSync(join(parent, name))) copyFileSync(join(parent, name), join(temporary, name));
    }
    if (adapter === undefined || report.weights !== "adapters") await writeWhole(temporary, options);
    else {
      const saved = head?.names.weights.map((mapping) => ({
        name: mapping.name,
        tensor: mappedTensor(head.arena, mapping),
      }));
      await writePeftFolder(temporary, adapter, { base: parent, task: options.task, ...(saved && { saved }) });
    }
    const own = {
      ...options.files,
      [adaptationFile]: `${JSON.stringify(report, null, 2)}\n`,
      "README.md": adaptationCard(report, options.pipeline),
    };
    for (const [name, content] of Object.entries(own)) writeFileAtomically(join(temporary, name), content);
    await writeRecord(temporary, activityOf(report), folder);
  });
}

/** What the record of lineage says: the parent, and every file that was learned from or measured on. */
function activityOf(report: AdaptationReport): Activity {
  const { method, stage, weights, settings, methodSettings, parent, data } = report;
  return {
    kind: weights === "adapters" ? "adapter" : "checkpoint",
    command: `adapt ${method}`,
    details: { stage, weights, settings: hashOf(canonicalJson({ settings, methodSettings })) },
    used: [
      { role: "base checkpoint", kind: "checkpoint", path: resolve(parent.path) },
      ...data.map(({ role, file }) => ({ role, kind: "data" as const, path: resolve(file) })),
    ],
  };
}

/** Weights under Hugging Face's names, the head's among them, and `config.json`. */
async function writeWhole(folder: string, { model, head, report }: SaveOptions): Promise<void> {
  const { architecture, configuration, arena } = model;
  const entries: SafetensorsEntry[] = [];
  const add = async (from: ParameterArena, mapping: WeightMapping) => {
    const data = await arena.backend.read(mappedTensor(from, mapping));
    const stored = mapping.transposed ? transposed(data, [...mapping.shape].reverse()) : data;
    entries.push({ name: mapping.name, shape: mapping.shape, type: "F32", data: stored });
  };
  for (const mapping of architecture.weights(configuration)) await add(arena, mapping);
  for (const mapping of head?.names.weights ?? []) await add(head!.arena, mapping);
  writeSafetensors(join(folder, "model.safetensors"), entries, { format: "pt" });
  const labels = head?.classes.map((name, index) => [String(index), name] as const);
  const before = readHuggingFaceConfiguration(report.parent.path);
  const config = {
    ...before,
    ...architecture.toHuggingFace(configuration),
    ...(head && {
      architectures: [head.names.huggingFaceClass],
      id2label: Object.fromEntries(labels!),
      label2id: Object.fromEntries(labels!.map(([index, name]) => [name, Number(index)])),
      pad_token_id: before.pad_token_id ?? head.padding,
      ...head.names.fields,
    }),
  };
  writeFileAtomically(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
}
