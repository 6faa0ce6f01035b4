/** What every adaptation job does the same way: loading for training, general text, the report. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type AdaptationSettings,
  type DataFile,
  describeParent,
  generalLossOf,
  type LoopEvent,
  type LoopResult,
  madeBy,
  textSource,
  vocabularyOf,
} from "../adaptation/index.ts";
import { profanityOf } from "../corpus/index.ts";
import type { Backend, Engine } from "../engine/index.ts";
import { readRows } from "../evaluation/index.ts";
import { TilthError } from "../foundation/index.ts";
import type { LanguageModel } from "../models/index.ts";
import type { TokenSource } from "../objectives/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { TokenStream } from "../training/index.ts";
import { type LoadedModel, loadModel } from "./checkpoint-reader.ts";
import type { DeviceOptions } from "./job.ts";

/** What every adaptation is told. */
export interface AdaptCommonInput {
  readonly checkpoint: string;
  readonly output: string;
  readonly device: DeviceOptions;
  readonly settings: AdaptationSettings;
  /** Adapters are merged into the weights before they are written. */
  readonly merge: boolean;
  /** Texts (JSON lines, CSV or Parquet with `text`) that narrowing is measured on; the run's own validation part if left out. */
  readonly general?: string;
  /** SPDX expression of the training data, where it is known. */
  readonly licence?: string;
}

export type AdaptEvent = LoopEvent | { readonly kind: "progress"; readonly stage: string };

/** Throws TilthError where something is at the output already. */
export function requireNoOutput(output: string): void {
  if (!existsSync(output)) return;
  throw new TilthError(`${output} exists already: it is not overwritten`, {
    remedy: "Give another --output, or remove it.",
  });
}

/** The model for training: its own weights get gradients only where no adapters are asked for. */
export function loadForAdaptation({ checkpoint, settings }: AdaptCommonInput, backend: Backend): LoadedModel {
  if (existsSync(join(checkpoint, "adapter_config.json"))) {
    throw new TilthError(`${checkpoint} is an adapter, not a model`, {
      remedy: "Merge it first: tilth adapt merge <model> <adapter> --output <folder>",
    });
  }
  return loadModel(checkpoint, backend, settings.lora === undefined ? "training" : "f32");
}

/** Measures the loss on general text; undefined where there is none. */
export async function generalLossFor(
  { general, checkpoint }: Pick<AdaptCommonInput, "general" | "checkpoint">,
  { engine, model, tokenizer }: { engine: Engine; model: LanguageModel; tokenizer: Tokenizer },
): Promise<{ readonly measure: () => Promise<number>; close(): void } | undefined> {
  const source = await generalSource(general, checkpoint, tokenizer);
  if (source === undefined) return undefined;
  const loss = generalLossOf(model, source);
  return { measure: () => loss(engine), close: () => void (source instanceof TokenStream && source.close()) };
}

async function generalSource(
  general: string | undefined,
  checkpoint: string,
  tokenizer: Tokenizer,
): Promise<TokenSource | undefined> {
  if (general !== undefined) return textSource(tokenizer, await textsOf(general));
  // A checkpoint lies in <run>/checkpoints/<step>.
  const prefix = join(dirname(dirname(checkpoint)), "shards", "validation");
  return existsSync(`${prefix}.idx`) ? new TokenStream(prefix, vocabularyOf(tokenizer)) : undefined;
}

/** The field `text` of every row of a file. */
export async function textsOf(file: string): Promise<string[]> {
  return (await readRows(file)).map((row, index) => {
    const text = row !== null && typeof row === "object" ? (row as { text?: unknown }).text : undefined;
    if (typeof text !== "string" || text === "") {
      throw new TilthError(`${file}, row ${index + 1}: the field "text" is missing or empty`);
    }
    return text;
  });
}

/** Warns of profane words in what is to be learned. `what`: "training texts". */
export function warnOfProfanity(texts: readonly string[], what: string, emit: (event: AdaptEvent) => void): void {
  const profane = texts.filter((text) => profanityOf(text).profane > 0).length;
  if (profane === 0) return;
  emit({
    kind: "warning",
    message: `${profane} of ${texts.length} ${what} hold profane words: a model learns them too`,
  });
}

/** What every report says the same way. */
export async function reportBasis({ checkpoint, settings, merge }: AdaptCommonInput, loop: LoopResult) {
  const { steps, bestStep, stopped = null, curve } = loop;
  const weights = settings.lora === undefined ? "all" : merge ? "merged adapters" : "adapters";
  const basis = { version: 1, madeBy: madeBy(), weights, settings } as const;
  return { ...basis, parent: await describeParent(checkpoint), steps, bestStep, stopped, curve };
}

/** Tokens of a sequence: as asked, as far as the model's context goes. */
export function lengthFor(
  { sequenceLength }: { readonly sequenceLength: number },
  { model }: Pick<LoadedModel, "model">,
): number {
  return Math.min(sequenceLength, model.architecture.dimensions(model.configuration).context);
}

/** Files of the report that are there. */
export function present(files: readonly (DataFile | undefined)[]): DataFile[] {
  return files.filter((one) => one !== undefined);
}
