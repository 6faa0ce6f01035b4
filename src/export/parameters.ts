/** Parameters of a checkpoint as Tilth's models have them, and tensors under any other names made of them. */
import { TilthError } from "../foundation/index.ts";
import { transposed, type WeightMapping } from "../models/index.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** Reads one parameter at a time; what it returns is not to be written to. */
export interface ParameterSource {
  shapeOf(name: string): readonly number[];
  read(name: string): Float32Array;
}

/** Puts parameters together from the tensors of a checkpoint's files. */
export function parameterSource({ architecture, configuration, weights }: Checkpoint): ParameterSource {
  const shapes = new Map(architecture.parameters(configuration).map(({ name, shape }) => [name, shape]));
  const mappings = architecture.weights(configuration);
  const shapeOf = (name: string) => {
    const shape = shapes.get(name);
    if (shape === undefined) throw new TilthError(`${architecture.name} has no parameter "${name}"`);
    return shape;
  };
  // Several tensors may be made of one parameter, one after the other.
  let latest: { readonly name: string; readonly values: Float32Array } | undefined;
  return {
    shapeOf,
    read(name) {
      if (latest?.name === name) return latest.values;
      const [rows, width = 1] = shapeOf(name);
      const out = new Float32Array(rows * width);
      for (const mapping of mappings.filter(({ parameter }) => parameter === name)) {
        const { data } = weights.floats(mapping.name);
        out.set(mapping.transposed ? transposed(data, mapping.shape) : data, mapping.rowStart * width);
      }
      latest = { name, values: out };
      return out;
    },
  };
}

/** The tensor that a mapping names: rows of a parameter, transposed where the file's is. */
export function mappedValues(
  source: ParameterSource,
  { parameter, shape, rowStart, transposed: turned }: WeightMapping,
) {
  const count = shape.reduce((product, size) => product * size, 1);
  const [, width = 1] = source.shapeOf(parameter);
  const part = source.read(parameter).subarray(rowStart * width, rowStart * width + count);
  return turned ? transposed(part, [...shape].reverse()) : part.slice();
}
