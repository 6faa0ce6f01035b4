/** ONNX models. */
export * from "./model.ts";
export { maximumProtobufBytes, type WrittenOnnx, writeOnnx } from "./write.ts";
