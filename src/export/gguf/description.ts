/** What an architecture's file says of its form in GGUF. */
import type { GgufValue } from "../../formats/index.ts";

/** One tensor of the GGUF file: made from one of the Hugging Face folder, or computed. */
export type GgufWeight = { readonly name: string } & (
  | {
      /** Name in the Hugging Face folder. */
      readonly from: string;
      /** Heads whose rows go from half-split to interleaved rotary pairs, as llama.cpp's Llama expects. */
      readonly interleaveHeads?: number;
      /** Stored [inputs, outputs] by Hugging Face (GPT-2's Conv1D). */
      readonly transposed?: boolean;
      /** A table that llama.cpp's own converter keeps in f32. */
      readonly keepF32?: boolean;
    }
  | { readonly values: Float32Array }
);

/** An architecture as llama.cpp knows it. */
export interface GgufDescription<Configuration> {
  /** Values with their keys, `general.architecture` among them. Throws TilthError where llama.cpp lacks what it has. */
  metadata(configuration: Configuration): Record<string, GgufValue>;
  weights(configuration: Configuration): GgufWeight[];
  /** Sentences about what the file does otherwise than the model. */
  notes?(configuration: Configuration): string[];
}

export const uint32 = (value: number): GgufValue => ({ type: "uint32", value });
export const float32 = (value: number): GgufValue => ({ type: "float32", value });
export const text = (value: string): GgufValue => ({ type: "string", value });
