/** A task's questions on a checkpoint. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  contaminationOf,
  coverageOf,
  type DocumentStore,
  type LoadedEvaluationSet,
  openDocumentStore,
  type SetContamination,
  type TaskCoverage,
} from "../corpus/index.ts";
import {
  type GenerationSettings,
  itemsOf,
  type Masking,
  readRows,
  respondentOf,
  rightsOf,
  runTask,
  type TaskDefinition,
  type TaskItem,
  type TaskOptions,
  type TaskResult,
  taskNamed,
  withAnswerCache,
} from "../evaluation/index.ts";
import {
  bootstrapMean,
  cacheFolder,
  type Estimate,
  hashFile,
  hashOf,
  type Progress,
  UsageError,
} from "../foundation/index.ts";
import { prepareTokenizerKernels } from "../tokenizer/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";
import { vocabularyOf } from "./vocabulary.ts";

export interface EvaluateTaskInput {
  readonly checkpoint: string;
  /** A name of the registry. */
  readonly task: string;
  /** Files of questions. */
  readonly files: readonly string[];
  /** File that few-shot examples come from; the questions' own if left out. */
  readonly examples?: string;
  readonly shots: number;
  readonly exampleChoice?: TaskOptions["exampleChoice"];
  readonly seed: number;
  /** What differs from the task's own settings where answers are written. */
  readonly generation?: Partial<GenerationSettings>;
  /** How encoders hide tokens. */
  readonly masking?: Masking;
  /** Whether answers that were given before are taken from disk, and new ones kept there. */
  readonly cache: boolean;
  /** Questions of each file, from its beginning. */
  readonly limit?: number;
  readonly unconditional: boolean;
  /** Folder of a document store: which questions stand in it. */
  readonly contaminationStore?: string;
  /** Folder of a document store: how much of the questions' words, n-grams and topics its training documents hold. */
  readonly coverageStore?: string;
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

export interface EvaluateTaskOutput extends TaskResult {
  readonly contamination?: TaskContamination;
  readonly coverage?: TaskCoverage;
}

export type EvaluateTaskEvent = Progress | { readonly warning: string };

export const evaluateTaskJob: Job<EvaluateTaskInput, EvaluateTaskEvent, EvaluateTaskOutput> = {
  name: "evaluate-task",
  async run(input, { emit }) {
    const task = withSettings(taskNamed(input.task), input.generation);
    const read = async (file: string) => itemsOf(task, await readRows(file), file);
    const items = [];
    for (const file of input.files) items.push(...(await read(file)).slice(0, input.limit));
    const examples = input.examples === undefined ? undefined : await read(input.examples);
    const found =
      input.contaminationStore === undefined ? undefined : await questionsIn(input.contaminationStore, items, emit);
    const coverage =
      input.coverageStore === undefined ? undefined : await coverageIn(input.coverageStore, task.name, items, emit);
    const backend = await openDevice(input.device, (warning) => emit({ warning }));
    try {
      await prepareTokenizerKernels();
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      const { masking } = input;
      const answering = respondentOf(engine, model, tokenizer, vocabularyOf(tokenizer), { masking, onProgress: emit });
      const respondent = input.cache
        ? withAnswerCache(answering, {
            folder: cacheFolder("evaluation"),
            identity: [await contentOf(input.checkpoint), backend.description, masking],
            onDamage: (file) => emit({ warning: `${file} is damaged: its answers are computed again` }),
          })
        : answering;
      const { shots, seed, unconditional, exampleChoice } = input;
      const result = await runTask(respondent, task, items, { shots, seed, unconditional, exampleChoice, examples });
      return {
        ...result,
        ...(found && { contamination: apart(found, result, seed) }),
        ...(coverage && { coverage }),
      };
    } finally {
      backend.dispose();
    }
  },
};

/** The task with settings of the user's own; tasks whose answers are chosen have none. */
function withSettings(task: TaskDefinition, settings: Partial<GenerationSettings> = {}): TaskDefinition {
  if (task.kind === "generation") return { ...task, generation: { ...task.generation, ...settings } };
  const [name] = Object.keys(settings);
  if (name === undefined) return task;
  throw new UsageError(`the answers to "${task.name}" are chosen, not written: ${name} means nothing to it`, {
    remedy: "Leave the option out, or give a task whose answers are written.",
  });
}

/** The content of the files that decide what a checkpoint answers. */
async function contentOf(checkpoint: string): Promise<[string, string][]> {
  const names = readdirSync(checkpoint).filter((name) => /^(config|tokenizer)\.json$|\.safetensors$/.test(name));
  return Promise.all(
    names.sort().map(async (name) => [name, await hashFile(join(checkpoint, name))] as [string, string]),
  );
}

/** Holds the questions, with their right answers, against the kept documents of a store. */
function questionsIn(folder: string, items: readonly TaskItem[], emit: (progress: Progress) => void) {
  return withStore(folder, async (store) => {
    const [found] = await contaminationOf(store, [setOf("task", items)], (done) =>
      emit({ stage: "looking for the questions", done, unit: "documents" }),
    );
    return found;
  });
}

/** Holds their words, n-grams and topics (their groups, where they have some) against the training documents. */
function coverageIn(folder: string, name: string, items: readonly TaskItem[], emit: (progress: Progress) => void) {
  return withStore(folder, async (store) => {
    const topics = items.some(({ group }) => group !== undefined) ? items.map(({ group }) => group ?? null) : undefined;
    const [coverage] = await coverageOf(store, [{ ...setOf(name, items), ...(topics && { topics }) }], (done) =>
      emit({ stage: "measuring coverage", done, unit: "documents" }),
    );
    return coverage;
  });
}

function setOf(name: string, items: readonly TaskItem[]): LoadedEvaluationSet {
  const texts = items.map(({ example }) => [example]);
  const sha256 = hashOf(...texts.flat());
  return { name, path: `${name}.jsonl`, fields: ["example"], licence: "NOASSERTION", sha256, items: texts };
}

async function withStore<Result>(folder: string, use: (store: DocumentStore) => Promise<Result>): Promise<Result> {
  const store = await openDocumentStore(folder);
  try {
    return await use(store);
  } finally {
    store.close();
  }
}

function apart(
  { ngramWords, tooShort, contaminated }: SetContamination,
  result: TaskResult,
  seed: number,
): TaskContamination {
  const held = new Set(contaminated.map(({ item }) => item));
  const mean = (wanted: boolean) => {
    const values = rightsOf(result).filter((_, item) => held.has(item) === wanted);
    return values.length === 0 ? null : bootstrapMean(values, seed);
  };
  return { ngramWords, tooShort, spans: contaminated, contaminated: mean(true), clean: mean(false) };
}
