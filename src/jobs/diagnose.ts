/** Where a behaviour entered: every checkpoint of a chain is asked its cases, the corpus is searched, the stage is bisected. */
import { basename, dirname, join } from "node:path";
import { assistantTokens, type Continuation, logProbabilities } from "../adaptation/index.ts";
import { coverageOfTexts, openDocumentStore, type TextCoverage } from "../corpus/index.ts";
import type { Backend } from "../engine/index.ts";
import { readTokenizerSettings } from "../export/index.ts";
import type { Progress } from "../foundation/index.ts";
import {
  type ClassificationCase,
  type ContinuationCase,
  type Diagnosis,
  type DiagnosisCase,
  diagnose,
  isClassification,
  type Stage,
  type StageScores,
  textOf,
} from "../lineage/index.ts";
import { checkpointNames, readHuggingFaceConfiguration } from "../training/index.ts";
import { chatTemplateFor } from "./adapt-chat.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import { inspectModel } from "./inspect.ts";
import type { DeviceOptions, Job } from "./job.ts";
import { classifyTexts } from "./predict-classes.ts";

export interface DiagnoseInput {
  /** From the base to the checkpoint that behaves oddly. The stage is found by inspection where it is not given. */
  readonly chain: readonly { readonly checkpoint: string; readonly stage?: Stage }[];
  readonly cases: readonly DiagnosisCase[];
  /** What works, of the same kind; may be empty. */
  readonly control: readonly DiagnosisCase[];
  /** Folder of the store that trained the base. */
  readonly corpus?: string;
  readonly device: DeviceOptions;
}

export interface DiagnoseOutput extends Diagnosis {
  /** What the corpus holds of each case; empty without a corpus. */
  readonly coverage: readonly TextCoverage[];
  /** Checkpoints inside the stage at which it entered, as far as they were asked, by their step. */
  readonly bisected: readonly { readonly checkpoint: string; readonly share: number }[];
}

export const diagnoseJob: Job<DiagnoseInput, Progress, DiagnoseOutput> = {
  name: "diagnose",
  async run({ chain, cases, control, corpus, device }, { emit }) {
    const backend = await openDevice(device, () => {});
    try {
      const scored: StageScores[] = [];
      for (const [index, { checkpoint, stage }] of chain.entries()) {
        emit({
          stage: "asking the checkpoints",
          done: index,
          total: chain.length,
          unit: "checkpoints",
          detail: checkpoint,
        });
        scored.push({
          name: checkpoint,
          stage: stage ?? (await inspectModel(checkpoint)).stage,
          failing: await scores(checkpoint, cases, backend),
          control: control.length === 0 ? [] : await scores(checkpoint, control, backend),
        });
      }
      const coverage = corpus === undefined ? [] : await searched(corpus, [...cases, ...control], emit);
      const pairs = coverage.map((one) => one.pairs);
      const shares =
        corpus === undefined
          ? undefined
          : { failing: pairs.slice(0, cases.length), control: pairs.slice(cases.length) };
      const found = diagnose(scored, shares);
      return {
        ...found,
        coverage: coverage.slice(0, cases.length),
        bisected: await bisect(found, scored, cases, backend),
      };
    } finally {
      backend.dispose();
    }
  },
};

async function searched(
  folder: string,
  cases: readonly DiagnosisCase[],
  emit: (progress: Progress) => void,
): Promise<TextCoverage[]> {
  const store = await openDocumentStore(folder);
  try {
    return await coverageOfTexts(store, cases.map(textOf), (done) =>
      emit({ stage: "searching the corpus", done, unit: "documents" }),
    );
  } finally {
    store.close();
  }
}

/** By how much each case comes out as wanted, in nats, or 1 and -1 for classes; null where the checkpoint cannot be asked. */
async function scores(checkpoint: string, cases: readonly DiagnosisCase[], backend: Backend): Promise<number[] | null> {
  return isClassification(cases[0])
    ? classified(checkpoint, cases as readonly ClassificationCase[], backend)
    : continued(checkpoint, cases as readonly ContinuationCase[], backend);
}

/** Whether a folder's model has a head that gives a text one class. */
function isTextClassifier(folder: string): boolean {
  return /ForSequenceClassification/.test(JSON.stringify(readHuggingFaceConfiguration(folder).architectures ?? ""));
}

async function classified(checkpoint: string, cases: readonly ClassificationCase[], backend: Backend) {
  if (!isTextClassifier(checkpoint)) return null;
  const predicted = await classifyTexts(
    checkpoint,
    cases.map(({ text }) => text),
    backend,
  );
  return cases.map(({ label }, index) => (predicted[index].label === label ? 1 : -1));
}

async function continued(checkpoint: string, cases: readonly ContinuationCase[], backend: Backend) {
  if (isTextClassifier(checkpoint)) return null;
  const { engine, model, tokenizer } = loadModel(checkpoint, backend);
  if (model.architecture.family !== "decoder") return null;
  // An assistant is asked in its own chat format; where an answer ends is part of it in both forms.
  const isAssistant = readTokenizerSettings(checkpoint).chatTemplate !== undefined;
  const template = isAssistant ? chatTemplateFor(checkpoint, {}, tokenizer) : undefined;
  const continuationOf = (prompt: string, answer: string): Continuation => {
    if (template !== undefined) {
      const { ids, isAssistant } = assistantTokens(
        tokenizer,
        template.render([
          { role: "user", content: prompt.trim() },
          { role: "assistant", content: answer.trim() },
        ]),
      );
      return { tokens: ids.subarray(0, isAssistant.lastIndexOf(true) + 1), from: isAssistant.indexOf(true) };
    }
    const before = Int32Array.of(tokenizer.endOfText, ...tokenizer.encode(prompt));
    return { tokens: Int32Array.of(...before, ...tokenizer.encode(answer), tokenizer.endOfText), from: before.length };
  };
  const given = cases.flatMap(({ prompt, wanted, unwanted }) =>
    fromTheFork(continuationOf(prompt, wanted), continuationOf(prompt, unwanted)),
  );
  const sums = await logProbabilities(engine, model, given);
  return cases.map((_, index) => sums[2 * index] - sums[2 * index + 1]);
}

/** Two answers from where they part, as many tokens of each: which way the model goes there, and neither is worse for its length. */
function fromTheFork(wanted: Continuation, unwanted: Continuation): readonly [Continuation, Continuation] {
  let fork = Math.min(wanted.from, unwanted.from);
  while (fork < wanted.tokens.length && wanted.tokens[fork] === unwanted.tokens[fork]) fork++;
  const end = Math.max(fork + 1, Math.min(wanted.tokens.length, unwanted.tokens.length));
  const cut = ({ tokens }: Continuation) => ({
    tokens: tokens.subarray(0, end),
    from: Math.min(fork, tokens.length - 1),
  });
  return [cut(wanted), cut(unwanted)];
}

/** Halves the run that wrote the checkpoint at which the behaviour entered, where it kept others before it. */
async function bisect(
  { enteredAt, origin }: Diagnosis,
  chain: readonly StageScores[],
  cases: readonly DiagnosisCase[],
  backend: Backend,
): Promise<DiagnoseOutput["bisected"]> {
  const at = chain.findIndex(({ name }) => name === enteredAt);
  if (enteredAt === undefined || at < 1 || origin === "data coverage") return [];
  const runFolder = dirname(dirname(enteredAt));
  const names = checkpointNames(runFolder);
  const end = names.indexOf(basename(enteredAt));
  if (end < 1) return [];
  const right = (found: readonly number[]) => found.filter((score) => score > 0).length / found.length;
  const [before, after] = [chain[at - 1].failing, chain[at].failing];
  if (before === null || after === null) return [];
  const middle = (right(before) + right(after)) / 2;
  const asked: { checkpoint: string; share: number }[] = [];
  let [low, high] = [-1, end];
  while (high - low > 1) {
    const half = (low + high) >> 1;
    const checkpoint = join(runFolder, "checkpoints", names[half]);
    const found = await scores(checkpoint, cases, backend);
    if (found === null) break;
    asked.push({ checkpoint, share: right(found) });
    if (right(found) < middle) high = half;
    else low = half;
  }
  return asked.sort((a, b) => (a.checkpoint < b.checkpoint ? -1 : 1));
}
