/** Training: configuration, data order, the loop, checkpoints. */
export * from "./checkpoint.ts";
export * from "./configuration.ts";
export { type ContrastiveConfiguration, contrastiveConfiguration } from "./contrastive-configuration.ts";
export { ContrastiveTrainer } from "./contrastive-trainer.ts";
export * from "./huggingface-folder.ts";
export * from "./log.ts";
export { type LoopOptions, runTraining } from "./loop.ts";
export { PairStream, type PairText, textBatchOf } from "./pairs.ts";
export { learningRateAt } from "./schedule.ts";
export { chooseModel } from "./sizing.ts";
export { TokenStream } from "./tokens.ts";
export type { StepResult, StoredModel, Trainable, ValidationResult } from "./trainable.ts";
export { Trainer } from "./trainer.ts";
