/** What an architecture's file says of its form in ONNX. */
import type { OnnxGraph } from "./graph.ts";

/** One ONNX file of a model. */
export interface OnnxPart {
  /** Its name without `.onnx`, as Hugging Face's optimum calls it. */
  readonly file: "model" | "text_model" | "vision_model";
  describe(graph: OnnxGraph): void;
}

/** The forms of an architecture by task, under optimum's names; the first is the usual one. */
export type OnnxDescription<Configuration> = Readonly<Record<string, (configuration: Configuration) => OnnxPart[]>>;

export const tokens = ["batch_size", "sequence_length"] as const;
