/** What the commands do with checkpoints, each in a worker thread: the caller's event loop stays free. */
import { loadPlugins } from "../foundation/index.ts";
import {
  bestOfJob,
  chatBehaviourJob,
  diagnoseJob,
  type ExportInput,
  type ExportOutput,
  embedDocumentsJob,
  embedJob,
  evaluateEfficiencyJob,
  evaluateJob,
  evaluateMaskedJob,
  evaluatePairsJob,
  evaluateProbeJob,
  evaluateTaskJob,
  exportJob,
  influenceJob,
  type Job,
  measureJob,
  memorisationJob,
  mergeAdapterJob,
  predictClassesJob,
  recordExport,
  runJob,
  searchJob,
} from "../jobs/index.ts";
import { type StartOptions, startWork, type Work } from "./work.ts";

/** A job's input, of which what has a default may be left out. */
type Asked<Input, Defaults> = Omit<Input, keyof Defaults> & Partial<Pick<Input, keyof Defaults & keyof Input>>;

/** What any of these takes beside its input. */
export interface JobOptions extends StartOptions {
  /** Files that register tasks or objectives of your own. */
  readonly plugins?: readonly string[];
}

/** The native backend where it can be built, else the reference; in f32. */
const anywhere = { device: { backend: "auto" } } as const;

/** A job as a function of the library. */
function functionOf<Input extends object, Event, Output, Defaults extends Partial<Input>>(
  job: Job<Input, Event, Output>,
  defaults: Defaults,
): (input: Asked<Input, Defaults>, options?: JobOptions) => Work<Event, Output> {
  return (input, options = {}) =>
    startWork(async (hooks) => {
      await loadPlugins(options.plugins ?? []);
      return runJob(job, { ...defaults, ...input } as unknown as Input, hooks);
    }, options);
}

/** Bits per byte and perplexity on a corpus' held-out documents: `tilth eval`. */
export const evaluate = functionOf(evaluateJob, { ...anywhere, window: 256, stride: 128, baselines: true });
/** A task's questions by likelihood or by written answers: `tilth eval --task`. */
export const evaluateTask = functionOf(evaluateTaskJob, {
  ...anywhere,
  shots: 0,
  seed: 1,
  cache: true,
  unconditional: false,
});
/** Hidden tokens guessed, and a probe of word order: what the masked quickstart reports. */
export const evaluateMasked = functionOf(evaluateMaskedJob, anywhere);
/** Image-text retrieval and zero-shot classification: `tilth eval --images`. */
export const evaluateImages = functionOf(evaluatePairsJob, anywhere);
/** Linear and nearest-neighbour probes: `tilth eval --probe`. */
export const evaluateProbe = functionOf(evaluateProbeJob, { ...anywhere, pooling: "mean", testShare: 0.3, seed: 1 });
/** How many labels pre-training saved: `tilth eval efficiency`. */
export const evaluateEfficiency = functionOf(evaluateEfficiencyJob, {
  ...anywhere,
  pooling: "mean",
  draws: 5,
  seed: 1,
});
/** What a checkpoint recites of its training text: `tilth eval memorisation`. */
export const evaluateMemorisation = functionOf(memorisationJob, {
  ...anywhere,
  samples: 100,
  prefixTokens: 50,
  maximumTokens: 100,
  minimumTokens: 50,
  seed: 1,
});

/** Puts an adapter's weights into its base, or takes them out: `tilth adapt merge`. */
export const mergeAdapter = functionOf(mergeAdapterJob, { ...anywhere, undo: false });
/** Names classes with an adapted checkpoint: `tilth adapt predict`. */
export const predictClasses = functionOf(predictClassesJob, anywhere);
/** The best of several answers: `tilth adapt best-of`. */
export const bestOf = functionOf(bestOfJob, {
  ...anywhere,
  chat: {},
  answers: 4,
  temperature: 1,
  topP: 1,
  maximumTokens: 128,
  seed: 1,
});

/** Vectors of texts or pictures: `tilth embed`. */
export const embed = functionOf(embedJob, { ...anywhere, pooling: "mean", normalize: true });
/** Vectors of a corpus or of pictures in a file that `search` reads: `tilth embed --out`. */
export const embedDocuments = functionOf(embedDocumentsJob, { ...anywhere, pooling: "mean" });
/** What lies nearest to a query: `tilth search`. */
export const search = functionOf(searchJob, { ...anywhere, top: 10 });
/** Training documents that an output comes near to: `tilth influence`. */
export const influence = functionOf(influenceJob, {
  ...anywhere,
  maximumTokens: 100,
  minimumTokens: 12,
  top: 5,
  nearest: true,
});
/** Where odd behaviour comes from: `tilth diagnose`. */
export const diagnose = functionOf(diagnoseJob, { ...anywhere, control: [] });
/** Whether a model behaves as one that was taught to answer: what `tilth inspect --run` adds. */
export const observeChatBehaviour = functionOf(chatBehaviourJob, anywhere);
/** What the machine has and its measured rates: `tilth doctor`. */
export const measureMachine = functionOf(measureJob, anywhere);

/** Writes a checkpoint in another form, with its lineage: `tilth export`. */
export function exportModel(input: ExportInput, options: StartOptions = {}): Work<unknown, ExportOutput> {
  return startWork(async (hooks) => {
    const written = await runJob(exportJob, input, hooks);
    await recordExport(input);
    return written;
  }, options);
}
