/** An adapter's updates added to its model's weights. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AdaptationReport,
  adaptationFile,
  adapterWeightsFile,
  readPeftFolder,
  saveAdapted,
} from "../adaptation/index.ts";
import { readSafetensors } from "../formats/index.ts";
import { TilthError } from "../foundation/index.ts";
import { requireNoOutput } from "./adapt-common.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface MergeAdapterInput {
  readonly checkpoint: string;
  readonly adapter: string;
  readonly output: string;
  readonly device: DeviceOptions;
}

export const mergeAdapterJob: Job<MergeAdapterInput, never, string> = {
  name: "merge-adapter",
  async run({ checkpoint, adapter: folder, output, device }) {
    requireNoOutput(output);
    const reportFile = join(folder, adaptationFile);
    if (!existsSync(reportFile)) {
      throw new TilthError(`${folder} has no ${adaptationFile}: what the merged model would be is not known`, {
        remedy: "Give an adapter that Tilth has written.",
      });
    }
    const report = JSON.parse(readFileSync(reportFile, "utf8")) as AdaptationReport;
    requireAdaptersAlone(folder);
    const backend = await openDevice(device, () => {});
    try {
      const { engine, model } = loadModel(checkpoint, backend);
      readPeftFolder(folder, engine, model).merge();
      await saveAdapted(output, {
        ...{ model, report: { ...report, weights: "merged adapters" as const }, task: "CAUSAL_LM" },
        pipeline: model.architecture.family === "decoder" ? "text-generation" : "fill-mask",
      });
      return output;
    } finally {
      backend.dispose();
    }
  },
};

/** Throws TilthError for an adapter with a head. */
function requireAdaptersAlone(folder: string): void {
  const file = readSafetensors(join(folder, adapterWeightsFile));
  const other = file.names.find((name) => !/\.lora_[AB]\.weight$/.test(name));
  file.close();
  if (other === undefined) return;
  throw new TilthError(`${folder} holds ${other} beside its adapters: a head, which belongs to a classifier`, {
    remedy: "Write the merged classifier while it is trained: tilth adapt classify … --lora --merge",
  });
}
