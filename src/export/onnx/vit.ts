/** ViT in ONNX: logits of its classes, or hidden states. */
import type { VitConfiguration } from "../../models/index.ts";
import type { OnnxDescription } from "./description.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import { layerNorm, linearLayer } from "./layers.ts";
import { blocks, patches, tokenAt } from "./towers.ts";

function encode(graph: OnnxGraph, one: VitConfiguration): Value {
  const x = patches(graph, one, {
    weight: "patch.weight",
    bias: "patch.bias",
    classToken: "class",
    positions: "positions",
  });
  return layerNorm(graph, blocks(graph, x, "encoder", one), "norm", one.normEpsilon);
}

const features = (one: VitConfiguration) => [
  {
    file: "model" as const,
    describe(graph: OnnxGraph) {
      const count = (one.imageSize / one.patchSize) ** 2 + 1;
      graph.output("last_hidden_state", encode(graph, one), "F32", ["batch_size", count, one.width]);
    },
  },
];

export const vitInOnnx: OnnxDescription<VitConfiguration> = {
  /** Without a head its features are all it has. */
  "image-classification": (one) =>
    one.classes === 0
      ? features(one)
      : [
          {
            file: "model",
            describe(graph) {
              const scores = linearLayer(graph, tokenAt(graph, encode(graph, one), 0), "head");
              graph.output("logits", scores, "F32", ["batch_size", one.classes]);
            },
          },
        ],
  "image-feature-extraction": features,
};
