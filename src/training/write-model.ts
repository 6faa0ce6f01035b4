/** A model as a Hugging Face folder. */
import { join } from "node:path";
import { type SafetensorsEntry, writeSafetensors } from "../formats/index.ts";
import { writeFileAtomically } from "../foundation/index.ts";
import { mappedTensor, transposed } from "../models/index.ts";
import type { CheckpointFiles } from "./checkpoint/index.ts";
import type { StoredModel } from "./trainable.ts";

/** Writes weights, configuration and `files` of a model as a Hugging Face folder (which must exist or be creatable). */
export async function writeModel(folder: string, model: StoredModel, files: CheckpointFiles): Promise<void> {
  const { architecture, arena, configuration } = model;
  const entries: SafetensorsEntry[] = [];
  for (const { name, shape, ...mapping } of architecture.weights(configuration)) {
    const data = await arena.backend.read(mappedTensor(arena, { name, shape, ...mapping }));
    const stored = mapping.transposed ? transposed(data, [...shape].reverse()) : data;
    entries.push({ name, shape, type: "F32", data: stored });
  }
  writeSafetensors(join(folder, "model.safetensors"), entries, { format: "pt" });
  const all = { ...files, "config.json": modelConfigurationJson(model, files) };
  for (const [name, content] of Object.entries(all)) writeFileAtomically(join(folder, name), content);
}

/** The text of `config.json`: what the architecture states, and of the keys given in `files` those that it leaves open. */
export function modelConfigurationJson({ architecture, configuration }: StoredModel, files: CheckpointFiles): string {
  const given = JSON.parse(Buffer.from(files["config.json"] ?? "{}").toString()) as object;
  return `${JSON.stringify({ ...given, ...architecture.toHuggingFace(configuration) }, null, 2)}\n`;
}
