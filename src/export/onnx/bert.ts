/** BERT and RoBERTa in ONNX: logits for masked tokens, or hidden states. */
import type { BertConfiguration } from "../../models/index.ts";
import { type OnnxDescription, tokens } from "./description.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import { activation, layerNorm, linearLayer, logits, selfAttention, sizeOf, unmasked } from "./layers.ts";

/** RoBERTa's positions start after that of its padding token, and its tokens have one type. */
export function bertInOnnx(positionOffset: number): OnnxDescription<BertConfiguration> {
  return {
    "fill-mask": (one) => [
      { file: "model", describe: (graph) => heads(graph, one, encode(graph, one, positionOffset)) },
    ],
    "feature-extraction": (one) => [
      {
        file: "model",
        describe: (graph) =>
          graph.output("last_hidden_state", encode(graph, one, positionOffset), "F32", [...tokens, one.width]),
      },
    ],
  };
}

function encode(graph: OnnxGraph, one: BertConfiguration, positionOffset: number): Value {
  const { normEpsilon: epsilon, width } = one;
  const ids = graph.input("input_ids", "I64", tokens);
  const visible = unmasked(graph, graph.input("attention_mask", "I64", tokens));
  const add = (a: Value, b: Value) => graph.node("Add", [a, b]);
  const types =
    one.tokenTypes === 1
      ? graph.parameter("types")
      : graph.node("Gather", [graph.parameter("types"), graph.input("token_type_ids", "I64", tokens)]);
  const length = sizeOf(graph, ids, 1);
  const offset = graph.integers([positionOffset]);
  const places = graph.node("Slice", [graph.parameter("positions"), offset, add(length, offset), graph.integers([0])]);
  const words = graph.node("Gather", [graph.parameter("embedding"), ids]);
  let stream = layerNorm(graph, add(add(words, types), places), "embeddingNorm", epsilon);
  for (let index = 0; index < one.layers; index++) {
    const name = `layers.${index}`;
    const packed = linearLayer(graph, stream, `${name}.queryKeyValue`);
    const attended = selfAttention(graph, packed, one.attentionHeads, width, visible);
    const mixed = add(stream, linearLayer(graph, attended, `${name}.attentionOutput`));
    const middle = layerNorm(graph, mixed, `${name}.attentionNorm`, epsilon);
    const up = activation(graph, linearLayer(graph, middle, `${name}.up`), "gelu");
    stream = layerNorm(graph, add(middle, linearLayer(graph, up, `${name}.down`)), `${name}.mlpNorm`, epsilon);
  }
  return stream;
}

function heads(graph: OnnxGraph, one: BertConfiguration, encoded: Value): void {
  const transformed = activation(graph, linearLayer(graph, encoded, "transform"), "gelu");
  const scores = logits(graph, layerNorm(graph, transformed, "transformNorm", one.normEpsilon), "embedding");
  const biased = graph.node("Add", [scores, graph.parameter("headBias")]);
  graph.output("logits", biased, "F32", [...tokens, one.vocabularySize]);
  if (!one.nextSentence) return;
  const first = graph.node("Gather", [encoded, graph.integers(0)], { axis: { integer: 1 } });
  const pooled = activation(graph, linearLayer(graph, first, "pooler"), "tanh");
  graph.output("seq_relationship_logits", linearLayer(graph, pooled, "nextSentence"), "F32", ["batch_size", 2]);
}
