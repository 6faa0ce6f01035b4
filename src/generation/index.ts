/** Text from a model: sampling and the key/value-cached loop. */
export { type GenerationOptions, generateBatch, generateTokens, nextLogits } from "./generate.ts";
export { type SamplingOptions, sampleToken } from "./sampling.ts";
