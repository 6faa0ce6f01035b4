/** A classification head: parameters of its own, logits from hidden states, and the names that transformers gives both. */
import { type Backend, ParameterArena, type ParameterSpecification, type Variable } from "../../engine/index.ts";
import type { WeightMapping } from "../../models/index.ts";

/** States that the last linear layer turns into logits, with that layer. */
export interface ClassLogits {
  /** [rows, width] */
  readonly hidden: Variable;
  /** [classes, width] */
  readonly weight: Variable;
  /** [classes] */
  readonly bias?: Variable;
}

/** How transformers names and configures a model with the head. */
export interface HeadNames {
  readonly huggingFaceClass: string;
  readonly weights: readonly WeightMapping[];
  /** Keys of `config.json` beside the labels. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The parameters of a head, seeded by their names. */
export function headArena(backend: Backend, specifications: readonly ParameterSpecification[], seed: number) {
  const arena = new ParameterArena(backend, specifications);
  arena.initialize(seed);
  return arena;
}

/** The weight and, where there is one, the bias of a linear layer. */
export function layerParameters(
  name: string,
  outputs: number,
  inputs: number,
  options: { readonly bias: boolean; readonly deviation?: number },
): ParameterSpecification[] {
  const standardDeviation = options.deviation ?? 0.02;
  return [
    {
      name: `${name}.weight`,
      shape: [outputs, inputs],
      initialization: { kind: "normal", standardDeviation },
      decay: true,
    },
    ...(options.bias
      ? [
          {
            name: `${name}.bias`,
            shape: [outputs],
            initialization: { kind: "constant" as const, value: 0 },
            decay: false,
          },
        ]
      : []),
  ];
}

/** The file's names of such a layer. */
export function layerNames(
  theirs: string,
  ours: string,
  outputs: number,
  inputs: number,
  bias: boolean,
): WeightMapping[] {
  return [
    { name: `${theirs}.weight`, parameter: `${ours}.weight`, shape: [outputs, inputs], rowStart: 0 },
    ...(bias ? [{ name: `${theirs}.bias`, parameter: `${ours}.bias`, shape: [outputs], rowStart: 0 }] : []),
  ];
}
