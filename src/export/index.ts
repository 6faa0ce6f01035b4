/** Finished checkpoints in the forms that other systems load. */
export { type Checkpoint, openCheckpoint, readTokenizerSettings } from "./checkpoint.ts";
export { exportGguf, type GgufExport, ggufTypes } from "./gguf/index.ts";
export { exportHuggingFace, exportOpenClip, type HuggingFaceExport, huggingFaceTypes } from "./huggingface.ts";
export { describeModelFile, type ModelFileDescription } from "./inspect.ts";
export { exportOnnx, type OnnxExport, onnxWeightTypes } from "./onnx/index.ts";
