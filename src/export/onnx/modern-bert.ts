/** ModernBERT in ONNX: logits for masked tokens, or hidden states. */
import { type ModernBertConfiguration, rotaryFrequencies } from "../../models/index.ts";
import { type OnnxDescription, tokens } from "./description.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import {
  activation,
  attention,
  gated,
  intoHeads,
  layerNormWithoutBias,
  linear,
  logits,
  parts,
  scalar,
  sizeOf,
  unmasked,
} from "./layers.ts";
import { rotary } from "./rotary.ts";

export const modernBertInOnnx: OnnxDescription<ModernBertConfiguration> = {
  "fill-mask": (one) => [
    {
      file: "model",
      describe(graph) {
        const transformed = activation(graph, linear(graph, encode(graph, one), "transform"), "gelu");
        const normed = layerNormWithoutBias(graph, transformed, "transformNorm", one.normEpsilon);
        const scores = graph.node("Add", [logits(graph, normed, "embedding"), graph.parameter("headBias")]);
        graph.output("logits", scores, "F32", [...tokens, one.vocabularySize]);
      },
    },
  ],
  "feature-extraction": (one) => [
    {
      file: "model",
      describe: (graph) => graph.output("last_hidden_state", encode(graph, one), "F32", [...tokens, one.width]),
    },
  ],
};

function encode(graph: OnnxGraph, one: ModernBertConfiguration): Value {
  const { width, attentionHeads: heads, normEpsilon: epsilon } = one;
  const headSize = width / heads;
  const ids = graph.input("input_ids", "I64", tokens);
  const everywhere = unmasked(graph, graph.input("attention_mask", "I64", tokens));
  const length = scalar(graph, sizeOf(graph, ids, 1));
  const places = graph.node("Range", [graph.integers(0), length, graph.integers(1)]);
  const distances = graph.node("Abs", [
    graph.node("Sub", [places, graph.node("Unsqueeze", [places, graph.integers([1])])]),
  ]);
  const near = graph.node("LessOrEqual", [distances, graph.integers(one.localAttention / 2)]);
  const positions = graph.node("Unsqueeze", [places, graph.integers([0])]);
  const kindOf = (name: string, theta: number, visible: Value) => ({
    visible,
    rotate: rotary(graph, positions, rotaryFrequencies(theta, headSize), `${name} rope frequencies`),
  });
  const whole = kindOf("global", one.globalRopeTheta, everywhere);
  const local = kindOf("local", one.localRopeTheta, graph.node("And", [near, everywhere]));

  const words = graph.node("Gather", [graph.parameter("embedding"), ids]);
  let stream = layerNormWithoutBias(graph, words, "embeddingNorm", epsilon);
  for (let index = 0; index < one.layers; index++) {
    const name = `layers.${index}`;
    const { visible, rotate } = index % one.globalEvery === 0 ? whole : local;
    const normed = index === 0 ? stream : layerNormWithoutBias(graph, stream, `${name}.attentionNorm`, epsilon);
    const packed = linear(graph, normed, `${name}.queryKeyValue`);
    const [query, key, value] = parts(graph, packed, [width, width, width]).map((part) =>
      intoHeads(graph, part, heads, headSize),
    );
    const attended = attention(graph, { query: rotate(query), key: rotate(key), value, visible, heads, headSize });
    const middle = graph.node("Add", [stream, linear(graph, attended, `${name}.attentionOutput`)]);
    const gateUp = linear(graph, layerNormWithoutBias(graph, middle, `${name}.mlpNorm`, epsilon), `${name}.gateUp`);
    stream = graph.node("Add", [middle, linear(graph, gated(graph, gateUp, one.activation), `${name}.down`)]);
  }
  return layerNormWithoutBias(graph, stream, "norm", epsilon);
}
