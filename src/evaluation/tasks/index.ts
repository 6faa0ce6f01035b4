/** Tasks: questions in a file, asked of a model by likelihood. */
export { itemsOf, type TaskDefinition, type TaskItem } from "./item.ts";
export { type ContinuationScore, scoreContinuations } from "./likelihood.ts";
export { taskNamed, tasks } from "./registry.ts";
export { readRows } from "./rows.ts";
export { type ItemResult, type Metric, runTask, type TaskOptions, type TaskResult } from "./run.ts";
