/** LoRA: low-rank updates of any linear layer, in PEFT's layout. */
export { LoraAdapter } from "./adapter.ts";
export {
  adapterConfigurationFile,
  adapterWeightsFile,
  type PeftTask,
  readPeftConfiguration,
  readPeftFolder,
  type SavedModule,
  writePeftFolder,
} from "./peft-folder.ts";
export { type LoraSettings, loraSettings } from "./settings.ts";
export { type LoraTarget, loraTargets } from "./targets.ts";
