/** File formats shared with other systems. */
export { createMegatronWriter, type MegatronShard, type MegatronWriter, openMegatronShard } from "./megatron.ts";
export { readSafetensors, type SafetensorsEntry, SafetensorsFile, writeSafetensors } from "./safetensors.ts";
export type { SafetensorsType } from "./safetensors-header.ts";
