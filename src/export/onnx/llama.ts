/** Llama, Qwen 2 and 3 and Mistral in ONNX. */
import { TilthError } from "../../foundation/index.ts";
import { type LlamaConfiguration, ropeAttentionFactor, ropeFrequencies } from "../../models/index.ts";
import { decoderInputs } from "./decoder.ts";
import { type OnnxDescription, tokens } from "./description.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import { gated, intoHeads, linear, logits, parts, rmsNorm } from "./layers.ts";
import { rotary } from "./rotary.ts";

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
  if (one.ropeScaling?.kind === "dynamic") {
    throw new TilthError("a graph cannot have dynamic ropeScaling: its frequencies follow from the length at hand", {
      remedy: "Continue the model with ropeScaling of the kind linear, yarn or llama3.",
    });
  }
  const rotate = rotary(graph, positions, ropeFrequencies(one), "rope frequencies", ropeAttentionFactor(one));
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
    stream = graph.node("Add", [middle, linear(graph, gated(graph, gateUp, "silu"), `${name}.down`)]);
  }
  const hidden = rmsNorm(graph, stream, "norm", epsilon);
  const scores = one.tiedEmbeddings ? logits(graph, hidden, "embedding") : linear(graph, hidden, "head");
  graph.output("logits", scores, "F32", [...tokens, one.vocabularySize]);
}
