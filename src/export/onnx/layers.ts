/** The layers that the families share. Values are [batch, length, width] unless named otherwise. */
import type { OnnxGraph, Value } from "./graph.ts";

/** x · weightᵀ, with a bias where one is named. */
export function linear(graph: OnnxGraph, x: Value, weight: string, bias?: string): Value {
  const product = graph.node("MatMul", [x, graph.transposedParameter(weight)]);
  return bias === undefined ? product : graph.node("Add", [product, graph.parameter(bias)]);
}

/** A linear layer whose parameters are `<name>.weight` and `<name>.bias`. */
export function linearLayer(graph: OnnxGraph, x: Value, name: string): Value {
  return linear(graph, x, `${name}.weight`, `${name}.bias`);
}

/** Logits: x · tableᵀ. The table may be an embedding, which is stored once. */
export function logits(graph: OnnxGraph, x: Value, table: string): Value {
  const turned = graph.node("Transpose", [graph.parameter(table)], { perm: { integers: [1, 0] } });
  return graph.node("MatMul", [x, turned]);
}

/** Layer norm whose parameters are `<name>.weight` and `<name>.bias`. */
export function layerNorm(graph: OnnxGraph, x: Value, name: string, epsilon: number): Value {
  const parameters = [graph.parameter(`${name}.weight`), graph.parameter(`${name}.bias`)];
  return graph.node("LayerNormalization", [x, ...parameters], { axis: { integer: -1 }, epsilon: { float: epsilon } });
}

/** Layer norm that has a weight alone. */
export function layerNormWithoutBias(graph: OnnxGraph, x: Value, weight: string, epsilon: number): Value {
  const attributes = { axis: { integer: -1 }, epsilon: { float: epsilon } };
  return graph.node("LayerNormalization", [x, graph.parameter(weight)], attributes);
}

/** x / √(mean x² + ε) · weight over the last axis. */
export function rmsNorm(graph: OnnxGraph, x: Value, weight: string, epsilon: number): Value {
  const squares = graph.node("Mul", [x, x]);
  const mean = graph.node("ReduceMean", [squares], { axes: { integers: [-1] } });
  const root = graph.node("Sqrt", [graph.node("Add", [mean, graph.float(epsilon)])]);
  return graph.node("Mul", [graph.node("Div", [x, root]), graph.parameter(weight)]);
}

/** The activations of Tilth's engine. */
export function activation(graph: OnnxGraph, x: Value, kind: "gelu" | "gelu-tanh" | "quick-gelu" | "tanh"): Value {
  const times = (a: Value, b: Value | number) => graph.node("Mul", [a, typeof b === "number" ? graph.float(b) : b]);
  if (kind === "tanh") return graph.node("Tanh", [x]);
  if (kind === "quick-gelu") return times(x, graph.node("Sigmoid", [times(x, 1.702)]));
  const bent =
    kind === "gelu"
      ? graph.node("Erf", [times(x, Math.SQRT1_2)])
      : graph.node("Tanh", [
          times(graph.node("Add", [x, times(times(times(x, x), x), 0.044715)]), Math.sqrt(2 / Math.PI)),
        ]);
  return times(times(x, 0.5), graph.node("Add", [bent, graph.float(1)]));
}

/** f(gate) · up, of rows that hold both. */
export function gated(graph: OnnxGraph, gateUp: Value, kind: "silu" | "gelu"): Value {
  const [gate, up] = graph.nodeOf("Split", [gateUp], 2, { axis: { integer: -1 } });
  const open =
    kind === "gelu" ? activation(graph, gate, kind) : graph.node("Mul", [gate, graph.node("Sigmoid", [gate])]);
  return graph.node("Mul", [open, up]);
}

/** Parts of the last axis, of those widths. */
export function parts(graph: OnnxGraph, x: Value, widths: readonly number[]): Value[] {
  return graph.nodeOf("Split", [x, graph.integers(widths)], widths.length, { axis: { integer: -1 } });
}

/** [batch, length, heads · size] as [batch, heads, length, size]. */
export function intoHeads(graph: OnnxGraph, x: Value, heads: number, size: number): Value {
  const apart = graph.node("Reshape", [x, graph.integers([0, 0, heads, size])]);
  return graph.node("Transpose", [apart], { perm: { integers: [0, 2, 1, 3] } });
}

export interface AttentionInput {
  /** [batch, heads, queries, headSize] */
  readonly query: Value;
  /** [batch, keyValueHeads, keys, headSize] */
  readonly key: Value;
  readonly value: Value;
  /** Whether a query sees a key, broadcast to [batch, heads, queries, keys]; all are seen where it is absent. */
  readonly visible?: Value;
  readonly heads: number;
  /** As many as heads where absent. */
  readonly keyValueHeads?: number;
  readonly headSize: number;
}

/** Softmax attention: [batch, queries, heads · headSize]. Groups of query heads share a key without copies of it. */
export function attention(graph: OnnxGraph, input: AttentionInput): Value {
  const { heads, keyValueHeads = heads, headSize, visible } = input;
  const isGrouped = keyValueHeads !== heads;
  const grouped = (x: Value) => (isGrouped ? graph.node("Unsqueeze", [x, graph.integers([2])]) : x);
  const query = isGrouped
    ? graph.node("Reshape", [input.query, graph.integers([0, keyValueHeads, heads / keyValueHeads, -1, headSize])])
    : input.query;
  const scaled = graph.node("Mul", [query, graph.float(1 / Math.sqrt(headSize))]);
  const order = isGrouped ? [0, 1, 2, 4, 3] : [0, 1, 3, 2];
  const keys = graph.node("Transpose", [grouped(input.key)], { perm: { integers: order } });
  const scores = graph.node("MatMul", [scaled, keys]);
  // The lowest finite number instead of -∞: a row that sees nothing stays free of NaN.
  const seen =
    visible === undefined
      ? scores
      : graph.node("Where", [grouped(visible), scores, graph.float(-3.4028234663852886e38)]);
  const mixed = graph.node("MatMul", [graph.node("Softmax", [seen], { axis: { integer: -1 } }), grouped(input.value)]);
  const apart = isGrouped ? graph.node("Reshape", [mixed, graph.integers([0, heads, -1, headSize])]) : mixed;
  const together = graph.node("Transpose", [apart], { perm: { integers: [0, 2, 1, 3] } });
  return graph.node("Reshape", [together, graph.integers([0, 0, heads * headSize])]);
}

/** Attention of every token to all that are visible, from packed rows [query | key | value] of equal heads. */
export function selfAttention(graph: OnnxGraph, packed: Value, heads: number, width: number, visible?: Value): Value {
  const [query, key, value] = parts(graph, packed, [width, width, width]).map((part) =>
    intoHeads(graph, part, heads, width / heads),
  );
  return attention(graph, { query, key, value, visible, heads, headSize: width / heads });
}

/** Size of an axis, [1]. */
export function sizeOf(graph: OnnxGraph, x: Value, axis: number): Value {
  return graph.node("Shape", [x], { start: { integer: axis }, end: { integer: axis + 1 } });
}

/** Rows [0, count) of a table. */
export function firstRows(graph: OnnxGraph, table: Value, count: Value): Value {
  return graph.node("Slice", [table, graph.integers([0]), count, graph.integers([0])]);
}

/** Without its axes of size 1 at the front. */
export function scalar(graph: OnnxGraph, x: Value): Value {
  return graph.node("Squeeze", [x, graph.integers([0])]);
}

/** Which of the keys [0, total) each of the queries [from, total) sees when none looks ahead: [queries, keys]. */
export function causal(graph: OnnxGraph, from: Value, total: Value, window?: number): Value {
  const one = graph.integers(1);
  const keys = graph.node("Range", [graph.integers(0), total, one]);
  const queries = graph.node("Unsqueeze", [graph.node("Range", [from, total, one]), graph.integers([1])]);
  const notAhead = graph.node("LessOrEqual", [keys, queries]);
  if (window === undefined) return notAhead;
  const near = graph.node("Greater", [keys, graph.node("Sub", [queries, graph.integers(window)])]);
  return graph.node("And", [notAhead, near]);
}

/** Which keys an attention mask of 0 and 1 [batch, keys] lets be seen: [batch, 1, 1, keys]. */
export function unmasked(graph: OnnxGraph, mask: Value): Value {
  return graph.node("Unsqueeze", [graph.node("Cast", [mask], { to: { integer: 9 } }), graph.integers([1, 2])]);
}

/** Rows of length 1. */
export function unitRows(graph: OnnxGraph, x: Value): Value {
  return graph.node("Div", [x, graph.node("ReduceL2", [x], { axes: { integers: [-1] }, keepdims: { integer: 1 } })]);
}
