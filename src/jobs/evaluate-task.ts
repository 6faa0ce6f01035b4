/** A task's questions on a checkpoint. */
import { contaminationOf, openDocumentStore, type SetContamination } from "../corpus/index.ts";
import { itemsOf, readRows, runTask, type TaskItem, type TaskResult, taskNamed } from "../evaluation/index.ts";
import { bootstrapMean, type Estimate, type Progress } from "../foundation/index.ts";
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
  /** Folder of a document store: which questions stand in it. */
  readonly contaminationStore?: string;
  readonly device: DeviceOptions;
}

/** What a corpus holds of a task's questions, and how they and the others were answered. */
export interface TaskContamination {
  readonly ngramWords: number;
  /** Questions with fewer words than an n-gram: nothing can be said of them, and they count as clean. */
  readonly tooShort: number;
  /** By question, from 0: the share of its n-grams that the corpus holds, and where. */
  readonly spans: SetContamination["contaminated"];
  readonly contaminated: Estimate | null;
  readonly clean: Estimate | null;
}

export const evaluateTaskJob: Job<
  EvaluateTaskInput,
  Progress,
  TaskResult & { readonly contamination?: TaskContamination }
> = {
  name: "evaluate-task",
  async run(input, { emit }) {
    const task = taskNamed(input.task);
    const read = async (file: string) => itemsOf(task, await readRows(file), file);
    const items = [];
    for (const file of input.files) items.push(...(await read(file)).slice(0, input.limit));
    const examples = input.examples === undefined ? undefined : await read(input.examples);
    const found =
      input.contaminationStore === undefined ? undefined : await questionsIn(input.contaminationStore, items, emit);
    const backend = await openDevice(input.device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      const { shots, seed, unconditional } = input;
      const result = await runTask(engine, model, tokenizer, task, items, {
        shots,
        seed,
        unconditional,
        examples,
        onProgress: emit,
      });
      return found === undefined ? result : { ...result, contamination: apart(found, result, seed) };
    } finally {
      backend.dispose();
    }
  },
};

/** Holds the questions, with their right answers, against the kept documents of a store. */
async function questionsIn(
  folder: string,
  items: readonly TaskItem[],
  emit: (progress: Progress) => void,
): Promise<SetContamination> {
  const store = await openDocumentStore(folder);
  try {
    const set = { name: "task", path: "task.jsonl", fields: ["example"], licence: "NOASSERTION", sha256: "" };
    const texts = items.map(({ example }) => [example]);
    const [found] = await contaminationOf(store, [{ ...set, items: texts }], (done) =>
      emit({ stage: "looking for the questions", done, unit: "documents" }),
    );
    return found;
  } finally {
    store.close();
  }
}

function apart(
  { ngramWords, tooShort, contaminated }: SetContamination,
  { results }: TaskResult,
  seed: number,
): TaskContamination {
  const held = new Set(contaminated.map(({ item }) => item));
  const mean = (wanted: boolean) => {
    const values = results.flatMap(({ right }, item) => (held.has(item) === wanted ? [right.accuracy ?? 0] : []));
    return values.length === 0 ? null : bootstrapMean(values, seed);
  };
  return { ngramWords, tooShort, spans: contaminated, contaminated: mean(true), clean: mean(false) };
}
