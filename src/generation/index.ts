/** Text from a model: sampling and the key/value-cached loop. */
export { type BatchEvent, type BatchRequest, ContinuousBatch, type DrawnToken } from "./continuous.ts";
export { type GenerationOptions, generateBatch, generateTokens, nextLogits } from "./generate.ts";
export { type SamplingOptions, sampleToken } from "./sampling.ts";
