/** The jobs: one file each, one line here. */
import { adaptClassifyJob } from "./adapt-classify.ts";
import { adaptPreferencesJob } from "./adapt-preferences.ts";
import { adaptTextJob } from "./adapt-text.ts";
import { bestOfJob } from "./best-of.ts";
import { chatBehaviourJob } from "./chat-behaviour.ts";
import { diagnoseJob } from "./diagnose.ts";
import { embedJob } from "./embed.ts";
import { embedDocumentsJob } from "./embed-documents.ts";
import { evaluateJob } from "./evaluate.ts";
import { evaluateEfficiencyJob } from "./evaluate-efficiency.ts";
import { evaluateMaskedJob } from "./evaluate-masked.ts";
import { evaluatePairsJob } from "./evaluate-pairs.ts";
import { evaluateProbeJob } from "./evaluate-probe.ts";
import { evaluateTaskJob } from "./evaluate-task.ts";
import { exportJob } from "./export.ts";
import { generateJob } from "./generate.ts";
import { influenceJob } from "./influence.ts";
import type { Job } from "./job.ts";
import { measureJob } from "./measure.ts";
import { measureLevelsJob } from "./measure-levels.ts";
import { measurePairsJob } from "./measure-pairs.ts";
import { measureRankJob } from "./measure-rank.ts";
import { memorisationJob } from "./memorisation.ts";
import { mergeAdapterJob } from "./merge-adapter.ts";
import { planMixtureJob } from "./plan-mixture.ts";
import { predictClassesJob } from "./predict-classes.ts";
import { scoreDocumentsJob } from "./score-documents.ts";
import { searchJob } from "./search.ts";
import { serveModelJob } from "./serve-model.ts";
import { tokenizeJob } from "./tokenize.ts";
import { trainJob } from "./train.ts";
import { trainPairsJob } from "./train-pairs.ts";

const jobs = [
  planMixtureJob,
  tokenizeJob,
  measureJob,
  measureLevelsJob,
  measurePairsJob,
  measureRankJob,
  trainJob,
  trainPairsJob,
  adaptClassifyJob,
  adaptTextJob,
  adaptPreferencesJob,
  bestOfJob,
  mergeAdapterJob,
  predictClassesJob,
  chatBehaviourJob,
  diagnoseJob,
  embedJob,
  embedDocumentsJob,
  searchJob,
  influenceJob,
  memorisationJob,
  serveModelJob,
  evaluateJob,
  scoreDocumentsJob,
  evaluateEfficiencyJob,
  evaluateMaskedJob,
  evaluateTaskJob,
  evaluatePairsJob,
  evaluateProbeJob,
  generateJob,
  exportJob,
] as const;

/** The job of that name; jobs are named by code, so an unknown one is a mistake of ours. */
export function jobNamed(name: string): Job<unknown, unknown, unknown> {
  const job = jobs.find((one) => one.name === name);
  if (job === undefined) throw new Error(`there is no job "${name}"`);
  return job as unknown as Job<unknown, unknown, unknown>;
}
