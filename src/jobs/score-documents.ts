/** Bits of every validation document of a corpus under a checkpoint. */
import { openDocumentStore } from "../corpus/index.ts";
import { type DocumentScores, scoreDocuments } from "../evaluation/index.ts";
import { type Progress, TilthError } from "../foundation/index.ts";
import { prepareTokenizerKernels } from "../tokenizer/index.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface ScoreDocumentsInput {
  readonly checkpoint: string;
  readonly store: string;
  readonly device: DeviceOptions;
  /** Tokens of a window; at most the model's context. */
  readonly window: number;
  readonly stride: number;
  /** UTF-8 bytes of documents after which no further one is scored; all if left out. */
  readonly maximumBytes?: number;
}

export const scoreDocumentsJob: Job<ScoreDocumentsInput, Progress, DocumentScores> = {
  name: "score-documents",
  async run({ checkpoint, store: folder, device, window, stride, maximumBytes = Number.POSITIVE_INFINITY }, { emit }) {
    const store = await openDocumentStore(folder);
    const backend = await openDevice(device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(checkpoint, backend);
      await prepareTokenizerKernels();
      const documents: { ids: Int32Array; bytes: number }[] = [];
      let total = 0;
      for await (const { text } of store.documents({ split: "validation" })) {
        if (total >= maximumBytes) break;
        const bytes = Buffer.byteLength(text);
        documents.push({ ids: tokenizer.encode(text), bytes });
        total += bytes;
      }
      if (documents.length === 0) {
        throw new TilthError(`${folder} has no validation documents`, {
          remedy: "Give it more text, or raise the share of validation in the corpus settings.",
        });
      }
      return await scoreDocuments(engine, model, documents, tokenizer.endOfText, {
        ...{ window, stride, batchWindows: 16 },
        onProgress: emit,
      });
    } finally {
      backend.dispose();
      store.close();
    }
  },
};
