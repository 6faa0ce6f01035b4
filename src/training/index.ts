/** Training: configuration, data order, the loop, checkpoints. */
export { loadBaseWeights } from "./base-weights.ts";
export * from "./checkpoint/index.ts";
export * from "./configuration.ts";
export {
  type ContrastiveConfiguration,
  contrastiveConfiguration,
  requireEvenPairs,
} from "./contrastive-configuration.ts";
export { ContrastiveTrainer } from "./contrastive-trainer.ts";
export { type FlightEvent, flightRecorderFile, readFlightRecorder } from "./flight-recorder.ts";
export * from "./huggingface-folder.ts";
export * from "./log.ts";
export { type LoopOptions, runTraining, stoppedFile } from "./loop.ts";
export { PairStream, type PairText, textBatchOf } from "./pairs.ts";
export { ReplayTokens } from "./replay.ts";
export { batchSequencesAt, learningRateAt, sequenceLengthAt, sequencesBefore } from "./schedule.ts";
export { chooseModel } from "./sizing.ts";
export { type DeviceRates, forecastStep, randomTokenSource, type StepForecast } from "./step-forecast.ts";
export * from "./telemetry/index.ts";
export { TokenStream, type TrainingTokens } from "./tokens.ts";
export type { StepResult, StoredModel, Trainable, ValidationResult } from "./trainable.ts";
export { Trainer } from "./trainer.ts";
export { writeModel } from "./write-model.ts";
