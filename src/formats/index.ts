/** File formats shared with other systems. */
export { readSafetensors, type SafetensorsEntry, SafetensorsFile, writeSafetensors } from "./safetensors.ts";
export type { SafetensorsType } from "./safetensors-header.ts";
