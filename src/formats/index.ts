/** File formats shared with other systems. */
export * from "./gguf/index.ts";
export { brainHalvesOf, halvesOf } from "./half-floats.ts";
export { createMegatronWriter, type MegatronShard, type MegatronWriter, openMegatronShard } from "./megatron.ts";
export * from "./onnx/index.ts";
export { ProtobufMessage } from "./protobuf.ts";
export { readSafetensors, type SafetensorsEntry, SafetensorsFile, writeSafetensors } from "./safetensors.ts";
export { readSafetensorsFolder, type WeightsFolder, writeSafetensorsFolder } from "./safetensors-folder.ts";
export type { SafetensorsType, TensorRecord } from "./safetensors-header.ts";
