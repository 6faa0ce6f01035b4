/** Bits per byte of a checkpoint on the validation documents, beside compressors and an n-gram model on the same bytes. */
import { openDocumentStore } from "../corpus/index.ts";
import {
  brotliBitsPerByte,
  evaluateLikelihood,
  gzipBitsPerByte,
  type LikelihoodResult,
  NgramModel,
  type ScoredDocument,
} from "../evaluation/index.ts";
import { type Progress, TilthError } from "../foundation/index.ts";
import { prepareTokenizerKernels } from "../tokenizer/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface EvaluateInput {
  readonly checkpoint: string;
  /** Folder of the document store whose validation part is scored. */
  readonly store: string;
  readonly device: DeviceOptions;
  /** Tokens of a window; at most the model's context. */
  readonly window: number;
  readonly stride: number;
  readonly baselines: boolean;
}

/** Bits per byte on the same held-out documents. */
export interface Baselines {
  readonly gzip: number;
  readonly brotli: number;
  readonly ngram5: number;
}

export interface EvaluateOutput extends LikelihoodResult {
  readonly baselines: Baselines | null;
}

export const evaluateJob: Job<EvaluateInput, Progress, EvaluateOutput> = {
  name: "evaluate",
  async run(input, { emit }) {
    const store = await openDocumentStore(input.store);
    const backend = await openDevice(input.device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(input.checkpoint, backend);
      await prepareTokenizerKernels();
      const held: Uint8Array[] = [];
      const documents: ScoredDocument[] = [];
      for await (const { text, source, kind } of store.documents({ split: "validation" })) {
        const bytes = Buffer.from(text);
        held.push(bytes);
        documents.push({
          ids: tokenizer.encode(text),
          bytes: bytes.length,
          parts: [`source ${source}`, `kind ${kind}`],
        });
      }
      if (documents.length === 0) {
        throw new TilthError(`${input.store} has no validation documents`, {
          remedy: "Give it more text, or raise the share of validation in the corpus settings.",
        });
      }
      const likelihood = await evaluateLikelihood(engine, model, documents, tokenizer.endOfText, {
        window: input.window,
        stride: input.stride,
        batchWindows: 16,
        onProgress: emit,
      });
      if (!input.baselines) return { ...likelihood, baselines: null };
      emit({ stage: "compressing for comparison", done: 0, unit: "baselines" });
      const training: Uint8Array[] = [];
      for await (const { text } of store.documents({ split: "train" })) training.push(Buffer.from(text));
      const ngram5 = NgramModel.train(training).bitsPerByte(held);
      return { ...likelihood, baselines: { gzip: gzipBitsPerByte(held), brotli: brotliBitsPerByte(held), ngram5 } };
    } finally {
      backend.dispose();
      store.close();
    }
  },
};
