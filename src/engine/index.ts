/** Tensors, ops and optimizers over interchangeable backends. Knows nothing of models or data. */
export type * from "./backend.ts";
export { type CountingBackend, createCountingBackend, type KernelWork } from "./backends/counting/index.ts";
export { lackingLevels, supportedLevels } from "./backends/cpu/isa.ts";
export { type BackendOptions, backendNames, createBackend } from "./backends/index.ts";
export { Engine, type EngineOptions, type LinearAdapter, type Variable } from "./engine.ts";
export { type AttentionOptions, splitPackedHeads } from "./ops/attention.ts";
export * from "./ops/index.ts";
export { AdamW, type AdamWConfiguration } from "./optimizers/adamw.ts";
export { Muon, type MuonConfiguration } from "./optimizers/muon.ts";
export type {
  Optimizer,
  OwnedRange,
  ParameterTreatment,
  StatePart,
  StateSharing,
  StateTensor,
} from "./optimizers/optimizer.ts";
export { attentionPageTokens } from "./paging.ts";
export {
  type ArenaUse,
  type Initialization,
  type Parameter,
  ParameterArena,
  type ParameterGroup,
  type ParameterSpecification,
} from "./parameters.ts";
export * from "./tensor.ts";
