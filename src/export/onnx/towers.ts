/** What ViT, CLIP and SigLIP share in ONNX: patches, and pre-norm blocks. */
import type { OnnxGraph, Value } from "./graph.ts";
import { activation, layerNorm, linearLayer, selfAttention, sizeOf } from "./layers.ts";

export interface TowerSizes {
  readonly width: number;
  readonly layers: number;
  readonly attentionHeads: number;
  readonly normEpsilon: number;
  readonly activation: "gelu" | "gelu-tanh" | "quick-gelu";
}

/** The blocks `<prefix>.layers.*`; the stream before any last norm. */
export function blocks(graph: OnnxGraph, x: Value, prefix: string, sizes: TowerSizes, visible?: Value): Value {
  const { normEpsilon: epsilon, attentionHeads, width } = sizes;
  let stream = x;
  for (let index = 0; index < sizes.layers; index++) {
    const name = `${prefix}.layers.${index}`;
    const normed = layerNorm(graph, stream, `${name}.attentionNorm`, epsilon);
    const packed = linearLayer(graph, normed, `${name}.queryKeyValue`);
    const attended = selfAttention(graph, packed, attentionHeads, width, visible);
    const middle = graph.node("Add", [stream, linearLayer(graph, attended, `${name}.attentionOutput`)]);
    const up = linearLayer(graph, layerNorm(graph, middle, `${name}.mlpNorm`, epsilon), `${name}.up`);
    stream = graph.node("Add", [middle, linearLayer(graph, activation(graph, up, sizes.activation), `${name}.down`)]);
  }
  return stream;
}

export interface PatchNames {
  readonly weight: string;
  readonly bias?: string;
  readonly classToken?: string;
  readonly positions: string;
}

/** Patches of images of a fixed size with their positions, after a class token where there is one. */
export function patches(
  graph: OnnxGraph,
  { width, imageSize, patchSize }: { width: number; imageSize: number; patchSize: number },
  names: PatchNames,
): Value {
  const pixels = graph.input("pixel_values", "F32", ["batch_size", 3, imageSize, imageSize]);
  const weight = graph.parameter(names.weight, [width, 3, patchSize, patchSize]);
  const inputs = names.bias === undefined ? [pixels, weight] : [pixels, weight, graph.parameter(names.bias)];
  const cut = graph.node("Conv", inputs, { strides: { integers: [patchSize, patchSize] } });
  const flat = graph.node("Reshape", [cut, graph.integers([0, width, -1])]);
  const rows = graph.node("Transpose", [flat], { perm: { integers: [0, 2, 1] } });
  const positions = graph.parameter(names.positions);
  if (names.classToken === undefined) return graph.node("Add", [rows, positions]);
  const shape = graph.node("Concat", [sizeOf(graph, pixels, 0), graph.integers([1, width])], { axis: { integer: 0 } });
  const first = graph.node("Expand", [graph.parameter(names.classToken), shape]);
  return graph.node("Add", [graph.node("Concat", [first, rows], { axis: { integer: 1 } }), positions]);
}

/** The token at one place of every sequence: [batch, width]. */
export function tokenAt(graph: OnnxGraph, x: Value, place: number): Value {
  return graph.node("Gather", [x, graph.integers(place)], { axis: { integer: 1 } });
}
