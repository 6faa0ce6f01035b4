/** A task's questions on a checkpoint. */
import { itemsOf, readRows, runTask, type TaskResult, taskNamed } from "../evaluation/index.ts";
import type { Progress } from "../foundation/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface EvaluateTaskInput {
  readonly checkpoint: string;
  /** A name of the registry. */
  readonly task: string;
  /** Files of questions. */
  readonly files: readonly string[];
  /** File that few-shot examples come from; the questions' own if left out. */
  readonly examples?: string;
  readonly shots: number;
  readonly seed: number;
  /** Questions of each file, from its beginning. */
  readonly limit?: number;
  readonly unconditional: boolean;
  readonly device: DeviceOptions;
}

export const evaluateTaskJob: Job<EvaluateTaskInput, Progress, TaskResult> = {
  name: "evaluate-task",
  async run(input, { emit }) {
    const task = taskNamed(input.task);
    const read = async (file: string) => itemsOf(task, await readRows(file), file);
    const items = [];
    for (const file of input.files) items.push(...(await read(file)).slice(0, input.limit));
    const examples = input.examples === undefined ? undefined : await read(input.examples);
    const backend = await openDevice(input.device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      const { shots, seed, unconditional } = input;
      return await runTask(engine, model, tokenizer, task, items, {
        shots,
        seed,
        unconditional,
        examples,
        onProgress: emit,
      });
    } finally {
      backend.dispose();
    }
  },
};
