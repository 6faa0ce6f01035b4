/**
 * The pre-norm transformer block of ViT, CLIP and SigLIP, with biases everywhere: parameters, forward, names. Query, key and
 * value are stored as one matrix, whose row blocks are Hugging Face's separate tensors.
 */
import { z } from "zod";
import {
  type ActivationKind,
  activation,
  add,
  addIntoRows,
  addRows,
  attention,
  type Engine,
  gatherRows,
  layerNorm,
  linearWithBias,
  type Parameter,
  type ParameterArena,
  type ParameterSpecification,
  patchEmbedding,
  residualLayerNorm,
  type Tensor,
  tensorOver,
  type Variable,
} from "../engine/index.ts";
import { positiveInteger } from "../foundation/index.ts";
import type { WeightMapping } from "./model.ts";
import { type PreNormBlocks, runPreNormBlocks, type Stream } from "./pre-norm-blocks.ts";

/** Sizes of a tower. */
export interface EncoderSizes {
  readonly width: number;
  readonly layers: number;
  readonly attentionHeads: number;
  readonly mlpWidth: number;
  readonly normEpsilon: number;
  readonly activation: ActivationKind;
}

/** What the configuration of a tower says beside its width. */
export const towerSettings = {
  layers: positiveInteger,
  attentionHeads: positiveInteger,
  /** Four times the width if left out. */
  mlpWidth: positiveInteger.optional(),
};

/** What the configuration of an image tower says of its input, in pixels; see `wholePatches`. */
export const imageSettings = { imageSize: positiveInteger, patchSize: positiveInteger };

/** Whether patches cut the image without rest; `wholePatchesMessage` where they do not. */
export const wholePatches = ({ imageSize, patchSize }: { readonly imageSize: number; readonly patchSize: number }) =>
  imageSize % patchSize === 0;
export const wholePatchesMessage = { message: "imageSize must be a multiple of patchSize" };

/** The activations that a tower's configuration may name. */
export const towerActivations = z.enum(["gelu", "gelu-tanh", "quick-gelu"]);

/** A matrix or vector that starts with the given standard deviation; 0: zeros. */
export function normalParameter(
  name: string,
  shape: readonly number[],
  standardDeviation: number,
  hiddenRows?: readonly number[],
): ParameterSpecification {
  const initialization =
    standardDeviation === 0 ? { kind: "constant" as const, value: 0 } : { kind: "normal" as const, standardDeviation };
  return { name, shape, initialization, decay: shape.length > 1, ...(hiddenRows === undefined ? {} : { hiddenRows }) };
}

/** The weight and the bias of a layer norm. */
export function normParameters(name: string, width: number): ParameterSpecification[] {
  return [
    { name: `${name}.weight`, shape: [width], initialization: { kind: "constant", value: 1 }, decay: false },
    normalParameter(`${name}.bias`, [width], 0),
  ];
}

/** The weight and the bias of a linear layer. */
export function linearParameters(
  name: string,
  outputs: number,
  inputs: number,
  deviation: number,
  hiddenRows: readonly number[] = [outputs],
): ParameterSpecification[] {
  return [
    normalParameter(`${name}.weight`, [outputs, inputs], deviation, hiddenRows),
    normalParameter(`${name}.bias`, [outputs], 0),
  ];
}

/** Parameters of blocks of two norms, attention and an MLP of two layers, by the standard deviations that they start with. */
export function blockParameters(
  prefix: string,
  { width, layers, mlpWidth }: Pick<EncoderSizes, "width" | "layers" | "mlpWidth">,
  deviations: { readonly attention: number; readonly up: number; readonly residual: number },
): ParameterSpecification[] {
  return Array.from({ length: layers }, (_, index) => {
    const name = `${prefix}${index}`;
    return [
      ...normParameters(`${name}.attentionNorm`, width),
      ...linearParameters(`${name}.queryKeyValue`, 3 * width, width, deviations.attention, [width, width, width]),
      ...linearParameters(`${name}.attentionOutput`, width, width, deviations.residual),
      ...normParameters(`${name}.mlpNorm`, width),
      ...linearParameters(`${name}.up`, mlpWidth, width, deviations.up),
      ...linearParameters(`${name}.down`, width, mlpWidth, deviations.residual),
    ];
  }).flat();
}

/** Parameters of a tower's blocks, starting as OpenAI's CLIP does: by width, residual projections smaller with depth. */
export function encoderParameters(prefix: string, sizes: EncoderSizes): ParameterSpecification[] {
  const attention = sizes.width ** -0.5;
  const residual = attention / Math.sqrt(2 * sizes.layers);
  return blockParameters(`${prefix}.layers.`, sizes, { attention, up: (2 * sizes.width) ** -0.5, residual });
}

/** The parameters `<name>.weight` and `<name>.bias`. */
export function weightAndBias(arena: ParameterArena, name: string): { weight: Parameter; bias: Parameter } {
  return { weight: arena.get(`${name}.weight`), bias: arena.get(`${name}.bias`) };
}

/** Rows (or, of a vector, elements) [start, start + count) of a parameter, with their share of its gradient. */
export function rowsOfParameter(parameter: Parameter, start: number, count: number): Variable {
  const part = (whole: Tensor) => {
    const [rowCount, width = 1] = whole.shape;
    if (start + count > rowCount)
      throw new RangeError(`rows ${start}–${start + count} of a parameter [${whole.shape}]`);
    const shape = whole.shape.length === 1 ? [count] : [count, width];
    return tensorOver(whole.storage, shape, whole.type, whole.offset + start * width);
  };
  const tensor = part(parameter.tensor);
  return parameter.requiresGradient
    ? { tensor, requiresGradient: true, parameterGradient: part(parameter.parameterGradient) }
    : { tensor, requiresGradient: false };
}

/** Layer norm of the stream with its delta; `sum` is the stream from there on. */
export function addAndNorm(
  engine: Engine,
  arena: ParameterArena,
  { stream, delta }: Stream,
  name: string,
  epsilon: number,
): { readonly sum: Variable; readonly out: Variable } {
  const norm = weightAndBias(arena, name);
  return delta === undefined
    ? { sum: stream, out: engine.run(layerNorm, { x: stream, ...norm }, { epsilon }).out }
    : engine.run(residualLayerNorm, { x: stream, delta, ...norm }, { epsilon });
}

/** Blocks with biases everywhere and an MLP of two layers, all but their attention. `prefix`: "layers." of "layers.0.up.weight". */
export function biasedBlocks(
  engine: Engine,
  arena: ParameterArena,
  prefix: string,
  { layers, normEpsilon, activation: kind }: Pick<EncoderSizes, "layers" | "normEpsilon" | "activation">,
): Omit<PreNormBlocks, "attend"> {
  return {
    layers,
    norm: (before, layer, branch) => addAndNorm(engine, arena, before, `${prefix}${layer}.${branch}Norm`, normEpsilon),
    linear: (x, layer, part) =>
      engine.run(linearWithBias, { x, ...weightAndBias(arena, `${prefix}${layer}.${part}`) }, {}).out,
    activate: (x) => engine.run(activation, { x }, { kind }).out,
  };
}

/** What the blocks make of x: [sequences · length, width]; the stream before any last norm. */
export function runEncoder(
  engine: Engine,
  arena: ParameterArena,
  prefix: string,
  sizes: EncoderSizes,
  x: Variable,
  { sequences, length, causal }: { sequences: number; length: number; causal: boolean },
): Variable {
  const { width, attentionHeads: heads } = sizes;
  const headSize = width / heads;
  const shape = {
    ...{ sequences, queryLength: length, keyLength: length, heads, keyValueHeads: heads, headSize },
    ...{ scale: 1 / Math.sqrt(headSize), causal },
  };
  const { stream, delta } = runPreNormBlocks(engine, x, {
    ...biasedBlocks(engine, arena, `${prefix}.layers.`, sizes),
    attend: (packed) => engine.run(attention, { packed }, { shape }).out,
  });
  return delta === undefined ? stream : engine.run(add, { a: delta, b: stream }, {}).out;
}

/** Images, [images, channels, size, size]. */
export interface ImageBatch {
  readonly images: number;
  readonly pixels: Tensor;
  /** The patches that are seen, the same number of each image: [images · patches], counted within the image. All if left out. */
  readonly patches?: Int32Array;
}

/** Patches with their positions, after a class token where there is one: rows [images · length, width]. */
export function embedPatches(
  engine: Engine,
  { images, pixels, patches: seen }: ImageBatch,
  patch: number,
  parameters: { weight: Parameter; positions: Parameter; classToken?: Parameter; bias?: Parameter },
): { rows: Variable; length: number } {
  const leading = parameters.classToken === undefined ? 0 : 1;
  const patches = parameters.positions.tensor.shape[0] - leading;
  let table: Variable = parameters.positions;
  const { classToken, bias } = parameters;
  if (classToken) table = engine.run(addIntoRows, { x: table, added: classToken }, { start: 0, count: 1 }).out;
  if (bias) table = engine.run(addIntoRows, { x: table, added: bias }, { start: leading, count: patches }).out;
  const x = engine.run(patchEmbedding, { weight: parameters.weight }, { pixels, patch, leading }).out;
  const whole = engine.run(addRows, { x, table }, {}).out;
  if (seen === undefined) return { rows: whole, length: leading + patches };
  const length = leading + seen.length / images;
  const rows = Int32Array.from({ length: images * length }, (_, row) => {
    const [image, place] = [Math.floor(row / length), row % length];
    return (
      image * (leading + patches) +
      (place < leading ? place : leading + seen[image * (length - leading) + place - leading])
    );
  });
  return { rows: engine.run(gatherRows, { x: whole }, { rows: engine.constant(rows) }).out, length };
}

/** Hugging Face's names within a block; `packed` where query, key and value are one tensor there too. */
export interface BlockNames {
  readonly attentionNorm: string;
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly attentionOutput: string;
  readonly mlpNorm: string;
  readonly up: string;
  readonly down: string;
}

/** A whole parameter, or rows of it, under another name. */
export function mapped(name: string, parameter: string, shape: readonly number[], rowStart = 0): WeightMapping {
  return { name, parameter, shape, rowStart };
}

/** Weight and bias of a layer norm, or of a linear layer of [outputs, inputs] (rows from `rowStart` of ours). */
export function mappedPair(
  name: string,
  parameter: string,
  outputs: number,
  inputs?: number,
  rowStart = 0,
): WeightMapping[] {
  const shape = inputs === undefined ? [outputs] : [outputs, inputs];
  return [
    mapped(`${name}.weight`, `${parameter}.weight`, shape, rowStart),
    mapped(`${name}.bias`, `${parameter}.bias`, [outputs], rowStart),
  ];
}

/** All blocks' tensors as a transformers file names them. */
export function encoderWeights(
  prefix: string,
  theirPrefix: string,
  { width, layers, mlpWidth }: EncoderSizes,
  names: BlockNames,
): WeightMapping[] {
  return Array.from({ length: layers }, (_, index) => {
    const [ours, theirs] = [`${prefix}.layers.${index}`, `${theirPrefix}.${index}`];
    return [
      ...mappedPair(`${theirs}.${names.attentionNorm}`, `${ours}.attentionNorm`, width),
      ...mappedPair(`${theirs}.${names.query}`, `${ours}.queryKeyValue`, width, width),
      ...mappedPair(`${theirs}.${names.key}`, `${ours}.queryKeyValue`, width, width, width),
      ...mappedPair(`${theirs}.${names.value}`, `${ours}.queryKeyValue`, width, width, 2 * width),
      ...mappedPair(`${theirs}.${names.attentionOutput}`, `${ours}.attentionOutput`, width, width),
      ...mappedPair(`${theirs}.${names.mlpNorm}`, `${ours}.mlpNorm`, width),
      ...mappedPair(`${theirs}.${names.up}`, `${ours}.up`, mlpWidth, width),
      ...mappedPair(`${theirs}.${names.down}`, `${ours}.down`, width, mlpWidth),
    ];
  }).flat();
}

/** The names of CLIP's and SigLIP's blocks in transformers. */
export const clipBlockNames: BlockNames = {
  attentionNorm: "layer_norm1",
  query: "self_attn.q_proj",
  key: "self_attn.k_proj",
  value: "self_attn.v_proj",
  attentionOutput: "self_attn.out_proj",
  mlpNorm: "layer_norm2",
  up: "mlp.fc1",
  down: "mlp.fc2",
};

const theirActivations: Readonly<Record<string, ActivationKind>> = {
  gelu: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  quick_gelu: "quick-gelu",
};

/** The names of activations that transformers' configurations may hold. */
export const activationNames = Object.keys(theirActivations) as [string, ...string[]];

/** Tilth's name of an activation of `activationNames`. */
export function activationFrom(name: string): ActivationKind {
  return theirActivations[name];
}

/** transformers' name of an activation. */
export function activationTo(kind: ActivationKind): string {
  return { gelu: "gelu", "gelu-tanh": "gelu_pytorch_tanh", "quick-gelu": "quick_gelu", tanh: "tanh" }[kind];
}
