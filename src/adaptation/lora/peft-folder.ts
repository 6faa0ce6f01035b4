/** A LoRA as PEFT keeps it: `adapter_config.json` and `adapter_model.safetensors`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Engine, Tensor } from "../../engine/index.ts";
import { readSafetensors, type SafetensorsEntry, writeSafetensors } from "../../formats/index.ts";
import { messageOf, positiveInteger, TilthError, writeFileAtomically } from "../../foundation/index.ts";
import type { AdaptableModel } from "../model.ts";
import { LoraAdapter } from "./adapter.ts";
import { type LoraSettings, loraSettings } from "./settings.ts";
import { type LoraTarget, loraTargets } from "./targets.ts";

export const adapterConfigurationFile = "adapter_config.json";
export const adapterWeightsFile = "adapter_model.safetensors";

/** What PEFT calls the model's use. */
export type PeftTask = "CAUSAL_LM" | "SEQ_CLS" | "TOKEN_CLS" | "FEATURE_EXTRACTION";

/** Tensors saved whole beside the adapters, such as a classification head, under Hugging Face's names. */
export interface SavedModule {
  readonly name: string;
  readonly tensor: Tensor;
}

const prefix = "base_model.model.";

/** Writes the adapter. `base`: where its model is found. Modules saved whole are named in `modules_to_save`. */
export async function writePeftFolder(
  folder: string,
  adapter: LoraAdapter,
  options: { readonly base: string; readonly task: PeftTask; readonly saved?: readonly SavedModule[] },
): Promise<void> {
  const { backend } = adapter.arena;
  const { rank, alpha, dropout } = adapter.settings;
  const saved = options.saved ?? [];
  const entries: SafetensorsEntry[] = [];
  const add = async (name: string, tensor: Tensor) => {
    entries.push({ name: `${prefix}${name}`, shape: tensor.shape, type: "F32", data: await backend.read(tensor) });
  };
  for (const target of adapter.targets) {
    const { a, b } = adapter.matricesOf(target);
    await add(`${target.module}.lora_A.weight`, a);
    await add(`${target.module}.lora_B.weight`, b);
  }
  for (const { name, tensor } of saved) await add(name, tensor);
  writeSafetensors(join(folder, adapterWeightsFile), entries, { format: "pt" });
  const modulesToSave = [...new Set(saved.map(({ name }) => name.replace(/\.(weight|bias)$/, "")))];
  const configuration = {
    peft_type: "LORA",
    task_type: options.task,
    base_model_name_or_path: options.base,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    target_modules: targetNames(adapter.targets),
    modules_to_save: modulesToSave.length === 0 ? null : modulesToSave,
    bias: "none",
    fan_in_fan_out: adapter.targets.every(({ transposed }) => transposed),
    init_lora_weights: true,
    use_rslora: false,
    use_dora: false,
  };
  writeFileAtomically(join(folder, adapterConfigurationFile), `${JSON.stringify(configuration, null, 2)}\n`);
}

/** Whole module names: an end such as `dense` could fit modules that have no adapter. */
function targetNames(targets: readonly LoraTarget[]): string[] {
  return targets.map(({ module }) => module).sort();
}

/** The keys of an `adapter_config.json` that decide what an adapter computes; other methods and options are refused. */
const configurationSchema = z.looseObject({
  peft_type: z.literal("LORA"),
  r: positiveInteger,
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).lt(1).default(0),
  target_modules: z.union([z.string(), z.array(z.string()).min(1)]),
  bias: z.literal("none").default("none"),
  use_rslora: z.literal(false).default(false),
  use_dora: z.literal(false).default(false),
  rank_pattern: z.record(z.string(), z.never()).default({}),
  alpha_pattern: z.record(z.string(), z.never()).default({}),
});

/** An adapter's settings and where its base model is. Throws TilthError naming the key that Tilth does not read. */
export function readPeftConfiguration(folder: string): { readonly settings: LoraSettings; readonly base?: string } {
  const file = join(folder, adapterConfigurationFile);
  if (!existsSync(file)) {
    throw new TilthError(`${folder} has no ${adapterConfigurationFile}: it is no adapter in PEFT's layout`, {
      remedy: "Give the folder that tilth adapt … --lora or PEFT's save_pretrained has written.",
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new TilthError(`${file} is not valid JSON: ${messageOf(cause)}`, { cause });
  }
  const parsed = configurationSchema.safeParse(json);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new TilthError(`${file}: "${path.join(".")}": ${message}`, {
      remedy: "Tilth reads plain LoRA: one rank and alpha for all layers, no bias, no DoRA.",
    });
  }
  const { r: rank, lora_alpha: alpha, lora_dropout: dropout, target_modules: targets, ...rest } = parsed.data;
  if (typeof targets === "string" && targets !== "all-linear") {
    throw new TilthError(`${file}: target_modules is the pattern "${targets}"; a list of names was expected`);
  }
  const base = rest.base_model_name_or_path;
  return {
    settings: loraSettings.parse({ rank, alpha, dropout, targets }),
    ...(typeof base === "string" && { base }),
  };
}

/** Reads an adapter for a model; it is not attached yet. Throws TilthError for a tensor that is missing or of another shape. */
export function readPeftFolder(folder: string, engine: Engine, model: AdaptableModel): LoraAdapter {
  const { settings } = readPeftConfiguration(folder);
  const { architecture, configuration } = model;
  const targets = loraTargets(architecture, configuration, settings);
  const adapter = new LoraAdapter(engine, model, settings, targets);
  const file = readSafetensors(join(folder, adapterWeightsFile));
  try {
    for (const target of targets) {
      const { a, b } = adapter.matricesOf(target);
      for (const [letter, tensor] of [
        ["A", a],
        ["B", b],
      ] as const) {
        const name = `${prefix}${target.module}.lora_${letter}.weight`;
        const { shape, data } = file.floats(name);
        if (shape.join() !== tensor.shape.join()) {
          throw new TilthError(`${file.path}: ${name} has shape [${shape}] instead of [${tensor.shape}]`, {
            remedy: "The adapter belongs to a model of other sizes.",
          });
        }
        engine.backend.write(tensor, data);
      }
    }
    return adapter;
  } finally {
    file.close();
  }
}
