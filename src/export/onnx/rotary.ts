/** Rotary positions in ONNX. */
import type { OnnxGraph, Value } from "./graph.ts";

/**
 * Turns heads [batch, heads, length, headSize] by positions [batch or 1, length] at the frequencies [headSize / 2]; the
 * halves of a head are the two coordinates. Cosines and sines are multiplied by `scale`.
 */
export function rotary(
  graph: OnnxGraph,
  positions: Value,
  frequencies: Float32Array,
  name = "rope frequencies",
  scale = 1,
): (x: Value) => Value {
  const table = graph.floats(name, [frequencies.length], frequencies);
  const places = graph.node("Cast", [graph.node("Unsqueeze", [positions, graph.integers([1, 3])])], {
    to: { integer: 1 },
  });
  const angles = graph.node("Mul", [places, table]);
  const both = graph.node("Concat", [angles, angles], { axis: { integer: -1 } });
  const scaled = (value: Value) =>
    scale === 1 ? value : graph.node("Mul", [value, graph.floats(`${name} scale`, [1], Float32Array.of(scale))]);
  const [cosines, sines] = [scaled(graph.node("Cos", [both])), scaled(graph.node("Sin", [both]))];
  return (x) => {
    const [first, second] = graph.nodeOf("Split", [x], 2, { axis: { integer: -1 } });
    const turned = graph.node("Concat", [graph.node("Neg", [second]), first], { axis: { integer: -1 } });
    return graph.node("Add", [graph.node("Mul", [x, cosines]), graph.node("Mul", [turned, sines])]);
  };
}
