/** An adapter's updates added to its model's weights, or taken out of them again. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import {
  type AdaptationReport,
  adaptationFile,
  adapterWeightsFile,
  readPeftFolder,
  saveAdapted,
} from "../adaptation/index.ts";
import { readSafetensors } from "../formats/index.ts";
import { publishFolder, TilthError } from "../foundation/index.ts";
import { isStage, stageTable, writeRecord } from "../lineage/index.ts";
import type { LanguageModel } from "../models/index.ts";
import { type Tokenizer, tokenizerConfigJson } from "../tokenizer/index.ts";
import { writeModel } from "../training/index.ts";
import { requireNoOutput } from "./adapt-common.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface MergeAdapterInput {
  readonly checkpoint: string;
  readonly adapter: string;
  readonly output: string;
  /** The checkpoint holds the updates already: what is written is the model before them, to rounding. */
  readonly undo: boolean;
  readonly device: DeviceOptions;
}

export const mergeAdapterJob: Job<MergeAdapterInput, never, string> = {
  name: "merge-adapter",
  async run({ checkpoint, adapter: folder, output, undo, device }) {
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
      const { engine, model, tokenizer } = loadModel(checkpoint, backend);
      const adapter = readPeftFolder(folder, engine, model);
      if (undo) {
        adapter.unmerge();
        adapter.detach();
        await writeUnmerged(output, model, tokenizer, { checkpoint, folder, stage: report.parent.stage });
      } else {
        await saveAdapted(output, {
          ...{ model, adapter, report: { ...report, weights: "merged adapters" as const }, task: "CAUSAL_LM" },
          pipeline: model.architecture.family === "decoder" ? "text-generation" : "fill-mask",
        });
      }
      return output;
    } finally {
      backend.dispose();
    }
  },
};

/** The model before the adapter: its stage is that of the adapter's parent. */
async function writeUnmerged(
  output: string,
  model: LanguageModel,
  tokenizer: Tokenizer,
  { checkpoint, folder, stage }: { readonly checkpoint: string; readonly folder: string; readonly stage: string },
): Promise<void> {
  const { context } = model.architecture.dimensions(model.configuration);
  const card = [
    `# ${basename(checkpoint)} without ${basename(folder)}`,
    ...["", `Stage: **${stage}**: what the adapter was trained on, to rounding in f32.`, ""],
    ...(isStage(stage) ? stageTable(stage) : []),
  ];
  await publishFolder(output, async (temporary) => {
    await writeModel(temporary, model, {
      "config.json": readFileSync(join(checkpoint, "config.json")),
      "tokenizer.json": tokenizer.toJson(),
      "tokenizer_config.json": tokenizerConfigJson(tokenizer, context),
      "README.md": `${card.join("\n")}\n`,
    });
    const used = [
      { role: "merged checkpoint", kind: "checkpoint" as const, path: checkpoint },
      { role: "adapter", kind: "adapter" as const, path: folder },
    ];
    await writeRecord(
      temporary,
      { kind: "checkpoint", command: "adapt merge --undo", details: { stage }, used },
      output,
    );
  });
}

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
