/** GPT-2 in ONNX. */
import type { Gpt2Configuration } from "../../models/index.ts";
import { decoderInputs } from "./decoder.ts";
import { type OnnxDescription, tokens } from "./description.ts";
import type { OnnxGraph } from "./graph.ts";
import { activation, intoHeads, layerNorm, linearLayer, logits, parts } from "./layers.ts";

export const gpt2InOnnx: OnnxDescription<Gpt2Configuration> = {
  "text-generation": (one) => [{ file: "model", describe: (graph) => describe(graph, one) }],
};

function describe(graph: OnnxGraph, one: Gpt2Configuration): void {
  const { attentionHeads: heads, width, normEpsilon: epsilon } = one;
  const headSize = width / heads;
  const { ids, positions, attend } = decoderInputs(graph, { heads, keyValueHeads: heads, headSize });
  let stream = graph.node("Add", [
    graph.node("Gather", [graph.parameter("embedding"), ids]),
    graph.node("Gather", [graph.parameter("positions"), positions]),
  ]);
  for (let index = 0; index < one.layers; index++) {
    const name = `layers.${index}`;
    const normed = layerNorm(graph, stream, `${name}.attentionNorm`, epsilon);
    const packed = linearLayer(graph, normed, `${name}.queryKeyValue`);
    const [query, key, value] = parts(graph, packed, [width, width, width]).map((part) =>
      intoHeads(graph, part, heads, headSize),
    );
    const attended = attend(index, query, key, value);
    const middle = graph.node("Add", [stream, linearLayer(graph, attended, `${name}.attentionOutput`)]);
    const up = linearLayer(graph, layerNorm(graph, middle, `${name}.mlpNorm`, epsilon), `${name}.up`);
    stream = graph.node("Add", [middle, linearLayer(graph, activation(graph, up, "gelu-tanh"), `${name}.down`)]);
  }
  const scores = logits(graph, layerNorm(graph, stream, "norm", epsilon), "embedding");
  graph.output("logits", scores, "F32", [...tokens, one.vocabularySize]);
}
