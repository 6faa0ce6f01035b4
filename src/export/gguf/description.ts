/** What an architecture's file says of its form in GGUF. */
import type { GgufValue } from "../../formats/index.ts";

/** One tensor of the GGUF file, made from one of the Hugging Face folder. */
export interface GgufWeight {
  readonly name: string;
  /** Name in the Hugging Face folder. */
  readonly from: string;
  /** Heads whose rows go from half-split to interleaved rotary pairs, as llama.cpp's Llama expects. */
  readonly interleaveHeads?: number;
  /** Stored [inputs, outputs] by Hugging Face (GPT-2's Conv1D). */
  readonly transposed?: boolean;
}

/** An architecture as llama.cpp knows it. */
export interface GgufDescription<Configuration> {
  /** Values with their keys, `general.architecture` among them. */
  metadata(configuration: Configuration): Record<string, GgufValue>;
  weights(configuration: Configuration): GgufWeight[];
}

export const uint32 = (value: number): GgufValue => ({ type: "uint32", value });
export const float32 = (value: number): GgufValue => ({ type: "float32", value });
export const text = (value: string): GgufValue => ({ type: "string", value });
