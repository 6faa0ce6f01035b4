/** Tasks: questions in a file, asked of a model by likelihood or for written answers. */
export { type AnswerCacheOptions, withAnswerCache } from "./answer-cache.ts";
export { completeGreedily } from "./completions.ts";
export {
  type ChoiceItem,
  type ChoiceTask,
  defineGenerationTask,
  defineTask,
  type GenerationItem,
  type GenerationSettings,
  type GenerationTask,
  itemsOf,
  type TaskDefinition,
  type TaskItem,
} from "./item.ts";
export { type ContinuationScore, scoreContinuations } from "./likelihood.ts";
export { type Masking, maskings, scorePseudoLikelihoods } from "./pseudo-likelihood.ts";
export { registerTask, taskNamed, tasks } from "./registry.ts";
export { type Respondent, respondentOf } from "./respondent.ts";
export { readRows } from "./rows.ts";
export {
  exampleChoices,
  type ItemResult,
  type Metric,
  rightsOf,
  runTask,
  type TaskOptions,
  type TaskResult,
} from "./run.ts";
