/** Inputs and outputs of a decoder with its key/value cache, named as Hugging Face's optimum names them. */
import { tokens } from "./description.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import { attention, causal, scalar, sizeOf, unmasked } from "./layers.ts";

export interface DecoderSizes {
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly window?: number;
}

const past = "past_sequence_length";
const whole = "past_sequence_length + sequence_length";

/** What the blocks of a decoder start from; `attend` adds a layer's keys and values to its cache. */
export function decoderInputs(graph: OnnxGraph, sizes: DecoderSizes) {
  const { keyValueHeads, headSize, window } = sizes;
  const ids = graph.input("input_ids", "I64", tokens);
  const mask = graph.input("attention_mask", "I64", ["batch_size", whole]);
  const positions = graph.input("position_ids", "I64", tokens);
  const total = scalar(graph, sizeOf(graph, mask, 1));
  const before = graph.node("Sub", [total, scalar(graph, sizeOf(graph, ids, 1))]);
  const visible = graph.node("And", [causal(graph, before, total, window), unmasked(graph, mask)]);
  /** Attention of layer `layer`; heads are [batch, heads, length, headSize], with their positions already. */
  const attend = (layer: number, query: Value, newKey: Value, newValue: Value): Value => {
    const extended = (name: string, value: Value): Value => {
      const shape = ["batch_size", keyValueHeads, past, headSize] as const;
      const cached = graph.input(`past_key_values.${layer}.${name}`, "F32", shape);
      const together = graph.node("Concat", [cached, value], { axis: { integer: 2 } });
      graph.output(`present.${layer}.${name}`, together, "F32", ["batch_size", keyValueHeads, whole, headSize]);
      return together;
    };
    const [key, value] = [extended("key", newKey), extended("value", newValue)];
    return attention(graph, { ...sizes, query, key, value, visible });
  };
  return { ids, positions, attend };
}
