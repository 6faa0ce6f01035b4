/** A checkpoint as one GGUF file for llama.cpp and what is built on it. */
import { basename, join } from "node:path";
import { encodeTensor, type GgufTensor, type GgufType, tensorTypes, writeGguf } from "../../formats/index.ts";
import { type ProgressListener, TilthError } from "../../foundation/index.ts";
import { vocabularySizeOf } from "../../models/index.ts";
import { readTokenizerJson } from "../../tokenizer/index.ts";
import { type Checkpoint, readTokenizerSettings } from "../checkpoint.ts";
import { type GgufDescription, type GgufWeight, text, uint32 } from "./description.ts";
import { llamaInGguf } from "./llama.ts";
import { tokenizerMetadata } from "./tokenizer.ts";

/** One file each, one line here; names as in the registry of architectures. */
const descriptions: Readonly<Record<string, GgufDescription<never>>> = {
  llama: llamaInGguf,
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
    const stored = weights.record(weight.from).shape;
    const shape = weight.transposed ? [...stored].reverse() : stored;
    const width = shape[shape.length - 1];
    let type: GgufType = shape.length < 2 ? "F32" : options.type;
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
        return encodeTensor(arranged(weights.floats(weight.from).data, stored, weight), type, width);
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
  return { path, tensors: tensors.length, keptF16 };
}

/** The values of a tensor in the order that GGUF's counterpart has them. */
function arranged(values: Float32Array, [rows, columns = 1]: readonly number[], weight: GgufWeight): Float32Array {
  if (weight.transposed) {
    const out = new Float32Array(values.length);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) out[column * rows + row] = values[row * columns + column];
    return out;
  }
  if (weight.interleaveHeads === undefined) return values;
  const headSize = rows / weight.interleaveHeads;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const [head, inHead] = [Math.floor(row / headSize), row % headSize];
    // Row i of the first half and row i of the second become neighbours.
    const to = head * headSize + ((inHead * 2) % headSize) + (inHead * 2 >= headSize ? 1 : 0);
    out.set(values.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return out;
}
