/** CLIP in ONNX: one file a tower. Embeddings have unit length; the factor on cosines is in the files' metadata. */
import type { ClipConfiguration } from "../../models/index.ts";
import { type OnnxDescription, tokens } from "./description.ts";
import type { OnnxGraph, Value } from "./graph.ts";
import { causal, firstRows, layerNorm, linear, scalar, sizeOf, unitRows } from "./layers.ts";
import { blocks, patches, tokenAt } from "./towers.ts";

export const clipInOnnx: OnnxDescription<ClipConfiguration> = {
  "zero-shot-image-classification": (one) => [
    { file: "text_model", describe: (graph) => describeText(graph, one) },
    { file: "vision_model", describe: (graph) => describeVision(graph, one) },
  ],
};

function describeText(graph: OnnxGraph, one: ClipConfiguration): void {
  const ids = graph.input("input_ids", "I64", tokens);
  const length = sizeOf(graph, ids, 1);
  const words = graph.node("Gather", [graph.parameter("text.embedding"), ids]);
  const x = graph.node("Add", [words, firstRows(graph, graph.parameter("text.positions"), length)]);
  const visible = causal(graph, graph.integers(0), scalar(graph, length));
  const stream = blocks(graph, x, "text", { ...one, ...one.text }, visible);
  // Of several equal tokens ArgMax takes the first.
  const isEnd = graph.node("Cast", [graph.node("Equal", [ids, graph.integers(one.endOfText)])], { to: { integer: 6 } });
  const ends = graph.node("ArgMax", [isEnd], { axis: { integer: 1 }, keepdims: { integer: 1 } });
  const pooled = graph.node("GatherND", [stream, ends], { batch_dims: { integer: 1 } });
  project(graph, one, pooled, "text");
}

function describeVision(graph: OnnxGraph, one: ClipConfiguration): void {
  const names = { weight: "vision.patch", classToken: "vision.class", positions: "vision.positions" };
  const x = layerNorm(graph, patches(graph, one.vision, names), "vision.preNorm", one.normEpsilon);
  const stream = blocks(graph, x, "vision", { ...one, ...one.vision });
  project(graph, one, tokenAt(graph, stream, 0), "vision");
}

function project(graph: OnnxGraph, one: ClipConfiguration, pooled: Value, tower: "text" | "vision"): void {
  const normed = layerNorm(graph, pooled, `${tower}.norm`, one.normEpsilon);
  const embedding = unitRows(graph, linear(graph, normed, `${tower}.projection`));
  const name = tower === "text" ? "text_embeds" : "image_embeds";
  graph.output(name, embedding, "F32", ["batch_size", one.embeddingWidth]);
  graph.number("logit_scale", "logitScale");
}
