/** A checkpoint as one GGUF file for llama.cpp and what is built on it. */
import { basename, join } from "node:path";
import {
  encodeTensor,
  type GgufTensor,
  type GgufType,
  tensorTypes,
  type WeightsFolder,
  writeGguf,
} from "../../formats/index.ts";
import { type ProgressListener, TilthError } from "../../foundation/index.ts";
import { transposed, vocabularySizeOf } from "../../models/index.ts";
import { readTokenizerJson } from "../../tokenizer/index.ts";
import { type Checkpoint, readTokenizerSettings } from "../checkpoint.ts";
import { type GgufDescription, type GgufWeight, text, uint32 } from "./description.ts";
import { gpt2InGguf } from "./gpt2.ts";
import { llamaInGguf } from "./llama.ts";
import { tokenizerMetadata } from "./tokenizer.ts";

/** One file each, one line here; names as in the registry of architectures. */
const descriptions: Readonly<Record<string, GgufDescription<never>>> = {
  llama: llamaInGguf({ architecture: "llama" }),
  mistral: llamaInGguf({ architecture: "llama" }),
  qwen2: llamaInGguf({ architecture: "qwen2", queryKeyValueBias: true }),
  qwen3: llamaInGguf({ architecture: "qwen3", headNorms: true }),
  gpt2: gpt2InGguf,
};

/** llama.cpp's numbers for what most tensors of a file are. */
const fileTypes: Record<GgufType, number> = { F32: 0, F16: 1, Q8_0: 7, BF16: 32 };

/** The names of types that users type. */
export const ggufTypes = { f32: "F32", f16: "F16", bf16: "BF16", q8_0: "Q8_0" } as const satisfies Record<
  string,
  GgufType
>;

/** What was written. */
export interface GgufExport {
  readonly path: string;
  readonly tensors: number;
  /** Matrices that kept f16, since their rows are no whole blocks of the type asked for. */
  readonly keptF16: readonly string[];
  /** Sentences about what the file does otherwise than the model. */
  readonly notes: readonly string[];
}

/**
 * Writes a checkpoint to `path`. Matrices get `type`, vectors stay f32. Throws TilthError for an architecture or a
 * tokenizer that has no form in GGUF.
 */
export function exportGguf(
  { folder, architecture, configuration, weights }: Checkpoint,
  path: string,
  options: { readonly type: GgufType; readonly onProgress?: ProgressListener },
): GgufExport {
  const description = descriptions[architecture.name] as GgufDescription<unknown> | undefined;
  if (description === undefined) {
    throw new TilthError(`${architecture.huggingFaceClass} has no form in GGUF that this version writes`, {
      remedy: `It writes: ${Object.keys(descriptions).join(", ")}. Use --to huggingface.`,
    });
  }
  const tokenizer = readTokenizerJson(join(folder, "tokenizer.json"));
  const vocabularySize = vocabularySizeOf(configuration) ?? tokenizer.vocabularySize;
  const keptF16: string[] = [];
  let done = 0;
  const plan = description.weights(configuration);
  const tensors = plan.map((weight): GgufTensor => {
    const { shape, read } = planned(weight, weights);
    const width = shape[shape.length - 1];
    let type: GgufType = shape.length < 2 || ("keepF32" in weight && weight.keepF32) ? "F32" : options.type;
    if (width % tensorTypes[type].blockElements !== 0) {
      keptF16.push(weight.name);
      type = "F16";
    }
    return {
      name: weight.name,
      shape,
      type,
      encode() {
        options.onProgress?.({ stage: "writing", done: ++done, total: plan.length, unit: "tensors" });
        return encodeTensor(read(), type, width);
      },
    };
  });
  const metadata = {
    ...description.metadata(configuration),
    "general.name": text(basename(folder)),
    "general.file_type": uint32(fileTypes[options.type]),
    "general.quantization_version": uint32(2),
    ...tokenizerMetadata(tokenizer, vocabularySize, readTokenizerSettings(folder)),
  };
  writeGguf(path, metadata, tensors);
  return { path, tensors: tensors.length, keptF16, notes: description.notes?.(configuration) ?? [] };
}

/** Shape and values of a tensor in the order that GGUF's counterpart has them. */
function planned(weight: GgufWeight, weights: WeightsFolder): { shape: readonly number[]; read(): Float32Array } {
  if ("values" in weight) return { shape: [weight.values.length], read: () => weight.values };
  const { shape } = weights.record(weight.from);
  const stored = () => weights.floats(weight.from).data;
  if (weight.transposed) return { shape: [...shape].reverse(), read: () => transposed(stored(), shape) };
  const { interleaveHeads } = weight;
  return {
    shape,
    read: interleaveHeads === undefined ? stored : () => interleaved(stored(), shape, interleaveHeads),
  };
}

/** Rows of every head so that row i of its first half and row i of its second become neighbours. */
function interleaved(values: Float32Array, [rows, columns]: readonly number[], heads: number): Float32Array {
  const headSize = rows / heads;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const [head, inHead] = [Math.floor(row / headSize), row % headSize];
    const to = head * headSize + ((inHead * 2) % headSize) + (inHead * 2 >= headSize ? 1 : 0);
    out.set(values.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}
