/** Llama, Qwen 2 and 3 and Mistral in ONNX. */
import { type LlamaConfiguration, ropeFrequencies } from "../../models/index.ts";
import { decoderInputs } from "./decoder.ts";
import { type OnnxDescription, tokens } from "./description.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import { intoHeads, linear, logits, parts, rmsNorm, swiglu } from "./layers.ts";

/** What Qwen has beside Llama's. */
interface Relative {
  readonly queryKeyValueBias?: boolean;
  readonly headNorms?: boolean;
}

/** The graph of Llama or of a relative of it. */
export function llamaInOnnx(relative: Relative = {}): OnnxDescription<LlamaConfiguration> {
  return {
    "text-generation": (one) => [{ file: "model", describe: (graph) => describe(graph, one, relative) }],
  };
}

function describe(graph: OnnxGraph, one: LlamaConfiguration, { queryKeyValueBias, headNorms }: Relative): void {
  const { attentionHeads: heads, keyValueHeads, headSize, normEpsilon: epsilon } = one;
  const { ids, positions, attend } = decoderInputs(graph, {
    heads,
    keyValueHeads,
    headSize,
    window: one.slidingWindow,
  });
  const rotate = rotation(graph, positions, one);
  const widths = [heads, keyValueHeads, keyValueHeads].map((count) => count * headSize);

  let stream = graph.node("Gather", [graph.parameter("embedding"), ids]);
  for (let index = 0; index < one.layers; index++) {
    const name = `layers.${index}`;
    const normed = rmsNorm(graph, stream, `${name}.attentionNorm`, epsilon);
    const bias = queryKeyValueBias ? `${name}.queryKeyValueBias` : undefined;
    const packed = linear(graph, normed, `${name}.queryKeyValue`, bias);
    const [query, key, value] = parts(graph, packed, widths).map((part, i) =>
      intoHeads(graph, part, widths[i] / headSize, headSize),
    );
    const placed = (x: Value, norm: string) => rotate(headNorms ? rmsNorm(graph, x, `${name}.${norm}`, epsilon) : x);
    const attended = attend(index, placed(query, "queryNorm"), placed(key, "keyNorm"), value);
    const middle = graph.node("Add", [stream, linear(graph, attended, `${name}.attentionOutput`)]);
    const gateUp = linear(graph, rmsNorm(graph, middle, `${name}.mlpNorm`, epsilon), `${name}.gateUp`);
    stream = graph.node("Add", [middle, linear(graph, swiglu(graph, gateUp), `${name}.down`)]);
  }
  const hidden = rmsNorm(graph, stream, "norm", epsilon);
  const scores = one.tiedEmbeddings ? logits(graph, hidden, "embedding") : linear(graph, hidden, "head");
  graph.output("logits", scores, "F32", [...tokens, one.vocabularySize]);
}

/** Turns heads [batch, heads, length, headSize] by their positions: halves are the two coordinates. */
function rotation(graph: OnnxGraph, positions: Value, one: LlamaConfiguration): (x: Value) => Value {
  const frequencies = ropeFrequencies(one);
  const table = graph.floats("rope frequencies", [frequencies.length], frequencies);
  const places = graph.node("Cast", [graph.node("Unsqueeze", [positions, graph.integers([1, 3])])], {
    to: { integer: 1 },
  });
  const angles = graph.node("Mul", [places, table]);
  const both = graph.node("Concat", [angles, angles], { axis: { integer: -1 } });
  const [cosines, sines] = [graph.node("Cos", [both]), graph.node("Sin", [both])];
  return (x) => {
    const [first, second] = graph.nodeOf("Split", [x], 2, { axis: { integer: -1 } });
    const turned = graph.node("Concat", [graph.node("Neg", [second]), first], { axis: { integer: -1 } });
    return graph.node("Add", [graph.node("Mul", [x, cosines]), graph.node("Mul", [turned, sines])]);
  };
}
