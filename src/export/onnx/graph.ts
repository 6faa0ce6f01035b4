/** Builds an ONNX computation node by node; weights come from a checkpoint under Tilth's own parameter names. */
import {
  encodeTensor,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValue,
} from "../../formats/index.ts";
import { transposed } from "../../models/index.ts";
import type { ParameterSource } from "../parameters.ts";

/** A value within the graph, by its name. */
export type Value = string;

/** How matrices are stored; what is computed with them is f32 in any case. */
export type WeightType = "F32" | "F16" | "BF16";

/** Operators of 2021, with LayerNormalization of 2022: every runtime in use has them. */
const operatorSet = 17;

/** A graph in the making. Every method that makes a value returns its name. */
export class OnnxGraph {
  readonly metadata: Record<string, string> = {};
  private readonly inputs: OnnxValue[] = [];
  private readonly outputs: OnnxValue[] = [];
  private readonly nodes: OnnxNode[] = [];
  private readonly tensors = new Map<string, OnnxTensor>();
  private readonly parameters = new Map<string, Value>();

  constructor(
    private readonly source: ParameterSource,
    private readonly weightType: WeightType,
  ) {}

  /** An input of the model; axes that may have any size are named. */
  input(name: string, type: OnnxValue["type"], shape: OnnxValue["shape"]): Value {
    this.inputs.push({ name, type, shape });
    return name;
  }

  /** Gives a value that the model returns its name. */
  output(name: string, value: Value, type: OnnxValue["type"], shape: OnnxValue["shape"]): void {
    this.outputs.push({ name, type, shape });
    this.nodes.push({ name: `output ${name}`, operator: "Identity", inputs: [value], outputs: [name], attributes: {} });
  }

  /** The only result of an operator. */
  node(operator: string, inputs: readonly Value[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): Value {
    return this.nodeOf(operator, inputs, 1, attributes)[0];
  }

  /** All `count` results of an operator. */
  nodeOf(
    operator: string,
    inputs: readonly Value[],
    count: number,
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): Value[] {
    const name = `${operator}.${this.nodes.length}`;
    const outputs = Array.from({ length: count }, (_, index) => (count === 1 ? name : `${name}.${index}`));
    this.nodes.push({ name, operator, inputs, outputs, attributes });
    return outputs;
  }

  /** Whole numbers, as shapes and axes are given: [count], or without an axis for a single number. */
  integers(values: readonly number[] | number): Value {
    const list = typeof values === "number" ? [values] : values;
    const name = `integers ${JSON.stringify(values)}`;
    const bytes = new Uint8Array(BigInt64Array.from(list.map(BigInt)).buffer);
    const shape = typeof values === "number" ? [] : [list.length];
    this.tensors.set(name, { name, type: "I64", shape, encode: () => bytes });
    return name;
  }

  /** One float, in f32. */
  float(value: number): Value {
    return this.floats(`float ${Math.fround(value)}`, [], Float32Array.of(value));
  }

  /** Floats under a name of their own, in f32. */
  floats(name: string, shape: readonly number[], values: Float32Array): Value {
    this.tensors.set(name, { name, type: "F32", shape, encode: () => encodeTensor(values, "F32", 1) });
    return name;
  }

  /** A parameter as it is, or under another shape of as many elements. */
  parameter(name: string, shape: readonly number[] = this.source.shapeOf(name)): Value {
    return this.stored(name, shape, () => this.source.read(name));
  }

  /** The transpose of a matrix [outputs, inputs], as products from the left take it. */
  transposedParameter(name: string): Value {
    const shape = this.source.shapeOf(name);
    return this.stored(`${name}.transposed`, [...shape].reverse(), () => transposed(this.source.read(name), shape));
  }

  private stored(name: string, shape: readonly number[], read: () => Float32Array): Value {
    const known = this.parameters.get(name);
    if (known !== undefined) return known;
    const type = shape.length < 2 ? "F32" : this.weightType;
    this.tensors.set(name, { name, type, shape, encode: () => encodeTensor(read(), type, 1) });
    // Runtimes fold the conversion when they load the model.
    const value = type === "F32" ? name : this.node("Cast", [name], { to: { integer: 1 } });
    this.parameters.set(name, value);
    return value;
  }

  /** Notes a parameter of one number in the file's metadata. */
  number(key: string, parameter: string): void {
    this.metadata[key] = String(this.source.read(parameter)[0]);
  }

  /** The model, complete. */
  finish(name: string): OnnxModel {
    const { inputs, outputs, nodes, metadata } = this;
    return { name, operatorSet, inputs, outputs, nodes, metadata, tensors: [...this.tensors.values()] };
  }
}
