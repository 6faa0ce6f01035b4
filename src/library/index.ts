/** Everything that the commands do, for programs: work that is awaited or walked over, stopped by an AbortSignal. */
export { adaptClassify, adaptPreferences, adaptText } from "./adapt.ts";
export { type BuildCorpusOptions, buildCorpus } from "./corpus.ts";
export * from "./jobs.ts";
export { type LadderEvent, type LadderResult, trainLadder } from "./ladder.ts";
export { type GenerateOptions, type LoadedModel, type LoadModelOptions, loadModel } from "./model.ts";
export { type RunEvent, type RunResult, resume, type TrainOptions, train } from "./training.ts";
export { type StartOptions, startWork, type Work } from "./work.ts";
