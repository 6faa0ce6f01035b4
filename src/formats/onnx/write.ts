/** Writes ONNX models: one file, or a file with its tensors in another beside it where one would be too large. */
import { basename } from "node:path";
import { TilthError, withTemporaryFile, writeFully } from "../../foundation/index.ts";
import { ProtobufMessage } from "../protobuf.ts";
import { type OnnxAttribute, type OnnxModel, type OnnxTensor, type OnnxValue, onnxBytes, onnxTypes } from "./model.ts";

/** What protobuf's readers accept of one file. */
export const maximumProtobufBytes = 2 ** 31 - 1;

/** Smaller tensors stay in the model's file: readers look into them to infer shapes. */
const externalFromBytes = 1024;
/** Tensors of the other file begin on pages, so that a reader can map them. */
const externalAlignment = 4096;
/** IR version 8 came with operator set 15; runtimes since 2022 read it. */
const irVersion = 8;

/** What was written, by path. */
export interface WrittenOnnx {
  readonly files: readonly string[];
}

/**
 * Writes `path` whole or not at all. Above `maximumBytes` the tensors go to `<path>_data`, which must stay beside it.
 * @throws TilthError where a tensor's bytes do not fit its shape and type, or a name comes twice
 */
export function writeOnnx(path: string, model: OnnxModel, maximumBytes = maximumProtobufBytes): WrittenOnnx {
  const names = new Set<string>();
  for (const { name } of model.tensors) {
    if (names.has(name)) throw new TilthError(`${path}: two tensors are named "${name}"`);
    names.add(name);
  }
  const checked = model.tensors.map((tensor) => ({ ...tensor, encode: () => encodeChecked(path, tensor) }));
  const inOne = modelMessage({ ...model, tensors: checked }, () => undefined);
  if (inOne.bytes <= maximumBytes) {
    writeMessage(path, inOne);
    return { files: [path] };
  }
  const dataPath = `${path}_data`;
  const offsets = new Map<OnnxTensor, number>();
  let end = 0;
  for (const tensor of checked) {
    if (onnxBytes(tensor) < externalFromBytes) continue;
    offsets.set(tensor, end);
    end = Math.ceil((end + onnxBytes(tensor)) / externalAlignment) * externalAlignment;
  }
  withTemporaryFile(dataPath, (descriptor) => {
    let position = 0;
    for (const [tensor, offset] of offsets) {
      writeFully(descriptor, new Uint8Array(offset - position));
      writeFully(descriptor, tensor.encode());
      position = offset + onnxBytes(tensor);
    }
  });
  const location = basename(dataPath);
  const message = modelMessage({ ...model, tensors: checked }, (tensor) => {
    const offset = offsets.get(tensor);
    return offset === undefined ? undefined : { location, offset, length: onnxBytes(tensor) };
  });
  writeMessage(path, message);
  return { files: [path, dataPath] };
}

function encodeChecked(path: string, tensor: OnnxTensor): Uint8Array {
  const bytes = tensor.encode();
  if (bytes.byteLength === onnxBytes(tensor)) return bytes;
  throw new TilthError(
    `${path}: tensor "${tensor.name}" has ${bytes.byteLength} bytes; ${tensor.type} of shape [${tensor.shape.join(", ")}] takes ${onnxBytes(tensor)}`,
  );
}

function writeMessage(path: string, message: ProtobufMessage): void {
  withTemporaryFile(path, (descriptor) => {
    for (const chunk of message.chunks()) writeFully(descriptor, chunk);
  });
}

/** Where a tensor lies in the other file. */
type Place = { readonly location: string; readonly offset: number; readonly length: number };

function modelMessage(model: OnnxModel, placeOf: (tensor: OnnxTensor) => Place | undefined): ProtobufMessage {
  const graph = new ProtobufMessage();
  for (const { name, operator, inputs, outputs, attributes } of model.nodes) {
    const node = new ProtobufMessage();
    for (const input of inputs) node.text(1, input);
    for (const output of outputs) node.text(2, output);
    node.text(3, name).text(4, operator);
    for (const [key, attribute] of Object.entries(attributes)) node.message(5, attributeMessage(key, attribute));
    graph.message(1, node);
  }
  graph.text(2, model.name);
  for (const tensor of model.tensors) graph.message(5, tensorMessage(tensor, placeOf(tensor)));
  for (const input of model.inputs) graph.message(11, valueMessage(input));
  for (const output of model.outputs) graph.message(12, valueMessage(output));
  const message = new ProtobufMessage()
    .integer(1, irVersion)
    .text(2, "tilth")
    .message(7, graph)
    .message(8, new ProtobufMessage().text(1, "").integer(2, model.operatorSet));
  for (const [key, value] of Object.entries(model.metadata)) message.message(14, entryMessage(key, value));
  return message;
}

function attributeMessage(name: string, attribute: OnnxAttribute): ProtobufMessage {
  const message = new ProtobufMessage().text(1, name);
  if ("float" in attribute) return message.float(2, attribute.float).integer(20, 1);
  if ("integer" in attribute) return message.integer(3, attribute.integer).integer(20, 2);
  if ("text" in attribute) return message.text(4, attribute.text).integer(20, 3);
  for (const value of attribute.integers) message.integer(8, value);
  return message.integer(20, 7);
}

function tensorMessage(tensor: OnnxTensor, place: Place | undefined): ProtobufMessage {
  const message = new ProtobufMessage();
  for (const size of tensor.shape) message.integer(1, size);
  message.integer(2, onnxTypes[tensor.type].code).text(8, tensor.name);
  if (place === undefined) return message.delimited(9, { bytes: onnxBytes(tensor), encode: () => tensor.encode() });
  for (const [key, value] of Object.entries(place)) message.message(13, entryMessage(key, String(value)));
  return message.integer(14, 1);
}

function valueMessage({ name, type, shape }: OnnxValue): ProtobufMessage {
  const axes = new ProtobufMessage();
  for (const axis of shape) {
    const size = new ProtobufMessage();
    axes.message(1, typeof axis === "number" ? size.integer(1, axis) : size.text(2, axis));
  }
  const tensor = new ProtobufMessage().integer(1, onnxTypes[type].code).message(2, axes);
  return new ProtobufMessage().text(1, name).message(2, new ProtobufMessage().message(1, tensor));
}

function entryMessage(key: string, value: string): ProtobufMessage {
  return new ProtobufMessage().text(1, key).text(2, value);
}
