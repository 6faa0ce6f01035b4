/** A checkpoint as a folder with ONNX files, laid out as Hugging Face's optimum and transformers.js expect it. */
import { join } from "node:path";
import { writeOnnx } from "../../formats/index.ts";
import { type ProgressListener, publishFolder, TilthError, writeFileAtomically } from "../../foundation/index.ts";
import { type Checkpoint, huggingFaceFields } from "../checkpoint.ts";
import { parameterSource } from "../parameters.ts";
import { copySidecars } from "../sidecars.ts";
import { bertInOnnx } from "./bert.ts";
import { clipInOnnx } from "./clip.ts";
import type { OnnxDescription } from "./description.ts";
import { gpt2InOnnx } from "./gpt2.ts";
import { OnnxGraph, type WeightType } from "./graph.ts";
import { llamaInOnnx } from "./llama.ts";
import { modernBertInOnnx } from "./modern-bert.ts";
import { siglipInOnnx } from "./siglip.ts";
import { vitInOnnx } from "./vit.ts";

/** One file each, one line here; names as in the registries of architectures. */
const descriptions: Readonly<Record<string, OnnxDescription<never>>> = {
  llama: llamaInOnnx(),
  mistral: llamaInOnnx(),
  qwen2: llamaInOnnx({ queryKeyValueBias: true }),
  qwen3: llamaInOnnx({ headNorms: true }),
  gpt2: gpt2InOnnx,
  bert: bertInOnnx(0),
  roberta: bertInOnnx(2),
  modernbert: modernBertInOnnx,
  vit: vitInOnnx,
  clip: clipInOnnx,
  siglip: siglipInOnnx,
};

/** The names of types that users type. */
export const onnxWeightTypes = { f32: "F32", f16: "F16", bf16: "BF16" } as const satisfies Record<string, WeightType>;

/** What was written. */
export interface OnnxExport {
  readonly path: string;
  /** The .onnx files, and files with tensors beside them, relative to `path`. */
  readonly files: readonly string[];
  readonly task: string;
  readonly tensors: number;
}

/**
 * Writes a folder with the model's graph, its tokenizer and configuration. Matrices are stored as `type`, vectors as f32;
 * all is computed in f32. Throws TilthError for an architecture or a task that has no graph.
 */
export async function exportOnnx(
  checkpoint: Checkpoint,
  path: string,
  options: {
    readonly type: WeightType;
    /** The architecture's usual one if left out. */
    readonly task?: string;
    /** Above it tensors go to a file of their own; protobuf's limit of 2 GB if left out. */
    readonly maximumFileBytes?: number;
    readonly onProgress?: ProgressListener;
  },
): Promise<OnnxExport> {
  const { folder, architecture, configuration } = checkpoint;
  const description = descriptions[architecture.name] as OnnxDescription<unknown> | undefined;
  if (description === undefined) {
    throw new TilthError(`${architecture.huggingFaceClass} has no form in ONNX that this version writes`, {
      remedy: `It writes: ${Object.keys(descriptions).join(", ")}. Use --to huggingface.`,
    });
  }
  const { task = Object.keys(description)[0] } = options;
  if (!Object.hasOwn(description, task)) {
    throw new TilthError(`${architecture.huggingFaceClass} has no ONNX form for the task "${task}"`, {
      remedy: `Its tasks: ${Object.keys(description).join(", ")}.`,
    });
  }
  const source = parameterSource(checkpoint);
  const models = description[task](configuration).map(({ file, describe }) => {
    const graph = new OnnxGraph(source, options.type);
    describe(graph);
    return { file, model: graph.finish(`${architecture.name} ${file}`) };
  });
  const total = models.reduce((sum, { model }) => sum + model.tensors.length, 0);
  const files: string[] = [];
  let done = 0;
  await publishFolder(path, (temporary) => {
    copySidecars(folder, temporary);
    writeFileAtomically(join(temporary, "config.json"), `${JSON.stringify(huggingFaceFields(checkpoint), null, 2)}\n`);
    for (const { file, model } of models) {
      const tensors = model.tensors.map((tensor) => ({
        ...tensor,
        encode() {
          options.onProgress?.({ stage: "writing", done: ++done, total, unit: "tensors" });
          return tensor.encode();
        },
      }));
      const written = writeOnnx(join(temporary, `${file}.onnx`), { ...model, tensors }, options.maximumFileBytes);
      files.push(...written.files.map((one) => one.slice(temporary.length + 1)));
    }
  });
  return { path, files, task, tensors: total };
}
