/** SigLIP in ONNX: one file a tower. Embeddings have unit length; factor and bias of cosines are in the files' metadata. */
import type { SiglipConfiguration } from "../../models/index.ts";
import type { OnnxDescription } from "./description.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import { activation, attention, intoHeads, layerNorm, linearLayer, parts, unitRows } from "./layers.ts";
import { blocks, patches, tokenAt } from "./towers.ts";

export const siglipInOnnx: OnnxDescription<SiglipConfiguration> = {
  "zero-shot-image-classification": (one) => [
    { file: "text_model", describe: (graph) => describeText(graph, one) },
    { file: "vision_model", describe: (graph) => describeVision(graph, one) },
  ],
};

/** Texts fill the whole context: the model reads its last token. */
function describeText(graph: OnnxGraph, one: SiglipConfiguration): void {
  const ids = graph.input("input_ids", "I64", ["batch_size", one.context]);
  const words = graph.node("Gather", [graph.parameter("text.embedding"), ids]);
  const x = graph.node("Add", [words, graph.parameter("text.positions")]);
  const stream = blocks(graph, x, "text", { ...one, ...one.text });
  const last = layerNorm(graph, tokenAt(graph, stream, one.context - 1), "text.norm", one.normEpsilon);
  finish(graph, one, "text_embeds", linearLayer(graph, last, "text.head"));
}

function describeVision(graph: OnnxGraph, one: SiglipConfiguration): void {
  const { width, normEpsilon: epsilon } = one;
  const names = { weight: "vision.patch.weight", bias: "vision.patch.bias", positions: "vision.positions" };
  const x = patches(graph, { ...one.vision, width }, names);
  const stream = layerNorm(graph, blocks(graph, x, "vision", { ...one, ...one.vision }), "vision.norm", epsilon);
  const mixed = pool(graph, one, stream);
  const up = linearLayer(graph, layerNorm(graph, mixed, "vision.pool.norm", epsilon), "vision.pool.up");
  const down = linearLayer(graph, activation(graph, up, one.activation), "vision.pool.down");
  finish(graph, one, "image_embeds", tokenAt(graph, graph.node("Add", [down, mixed]), 0));
}

/** One learned query looks at all patches: [batch, 1, width]. */
function pool(graph: OnnxGraph, { width, vision }: SiglipConfiguration, x: Value): Value {
  const { attentionHeads: heads } = vision;
  const headSize = width / heads;
  const widths = [width, 2 * width];
  const weights = graph.nodeOf(
    "Split",
    [graph.transposedParameter("vision.pool.queryKeyValue.weight"), graph.integers(widths)],
    2,
    { axis: { integer: 1 } },
  );
  const biases = parts(graph, graph.parameter("vision.pool.queryKeyValue.bias"), widths);
  const projected = (input: Value, part: number) =>
    graph.node("Add", [graph.node("MatMul", [input, weights[part]]), biases[part]]);
  const probe = graph.parameter("vision.pool.probe", [1, 1, width]);
  const query = intoHeads(graph, projected(probe, 0), heads, headSize);
  const [key, value] = parts(graph, projected(x, 1), [width, width]).map((part) =>
    intoHeads(graph, part, heads, headSize),
  );
  return linearLayer(graph, attention(graph, { query, key, value, heads, headSize }), "vision.pool.output");
}

function finish(graph: OnnxGraph, one: SiglipConfiguration, name: string, embedding: Value): void {
  graph.output(name, unitRows(graph, embedding), "F32", ["batch_size", one.width]);
  graph.number("logit_scale", "logitScale");
  graph.number("logit_bias", "logitBias");
}
