/** A checkpoint in the form of another system, written off the main thread. */
import {
  exportGguf,
  exportHuggingFace,
  exportOnnx,
  exportOpenClip,
  type GgufExport,
  ggufTypes,
  type HuggingFaceExport,
  type huggingFaceTypes,
  type OnnxExport,
  onnxWeightTypes,
  openCheckpoint,
} from "../export/index.ts";
import { InterruptedError, type Progress } from "../foundation/index.ts";
import type { Job } from "./job.ts";

/** What to write where; types are named as users type them. */
export type ExportInput = { readonly checkpoint: string; readonly out: string } & (
  | { readonly to: "gguf"; readonly type: keyof typeof ggufTypes }
  | { readonly to: "onnx"; readonly type: keyof typeof onnxWeightTypes; readonly task?: string }
  | { readonly to: "open-clip"; readonly type: keyof typeof huggingFaceTypes }
  | { readonly to: "huggingface"; readonly type: keyof typeof huggingFaceTypes; readonly shardBytes: number }
);

export type ExportOutput = GgufExport | HuggingFaceExport | OnnxExport;

export const exportJob: Job<ExportInput, Progress, ExportOutput> = {
  name: "export",
  async run(input, { emit, shouldStop }) {
    const checkpoint = openCheckpoint(input.checkpoint);
    const onProgress = (progress: Progress) => {
      if (shouldStop()) throw new InterruptedError(`stopped; nothing was written to ${input.out}`);
      emit(progress);
    };
    try {
      if (input.to === "gguf") return exportGguf(checkpoint, input.out, { type: ggufTypes[input.type], onProgress });
      if (input.to === "open-clip") return await exportOpenClip(checkpoint, input.out, { ...input, onProgress });
      if (input.to === "onnx") {
        return await exportOnnx(checkpoint, input.out, {
          ...{ type: onnxWeightTypes[input.type], task: input.task, onProgress },
        });
      }
      return await exportHuggingFace(checkpoint, input.out, { ...input, onProgress });
    } finally {
      checkpoint.weights.close();
    }
  },
};
