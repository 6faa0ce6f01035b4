/** Training: configuration, data order, the loop, checkpoints. */
export * from "./checkpoint.ts";
export * from "./configuration.ts";
export * from "./huggingface-folder.ts";
export * from "./log.ts";
export { type LoopOptions, runTraining } from "./loop.ts";
export { learningRateAt } from "./schedule.ts";
export { chooseModel } from "./sizing.ts";
export { documentStarts, sequencesOfStep, TokenStream, type TrainingBatch } from "./tokens.ts";
export { type StepResult, Trainer } from "./trainer.ts";
