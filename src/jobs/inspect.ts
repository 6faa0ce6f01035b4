/** What a model on disk is: its shape from the headers, its stage from evidence, its rights and what its card leaves out. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { describeModelFile, type ModelFileDescription, readTokenizerSettings } from "../export/index.ts";
import { TilthError } from "../foundation/index.ts";
import {
  type Evidence,
  evidenceOf,
  type FolderFacts,
  isStage,
  judgeStage,
  type LineageRecord,
  missingFrom,
  readRecord,
  type Stage,
  weightsAgree,
} from "../lineage/index.ts";

/** A share of the kept bytes of the data that trained a model. */
export interface DataShare {
  readonly licence: string;
  readonly share: number;
}

const statedGuard = z.looseObject({
  name: z.string(),
  value: z.number().nullable(),
  limit: z.number(),
  unit: z.string(),
  verdict: z.string(),
});
/** A guard of fine-tuning or post-training, in `adaptation.json`. */
export type StatedGuard = Pick<z.infer<typeof statedGuard>, "name" | "value" | "limit" | "unit" | "verdict">;

/** What `tilth inspect` finds. */
export interface ModelInspection extends ModelFileDescription {
  readonly stage: Stage | "unknown";
  /** 0–1. */
  readonly confidence: number;
  readonly evidence: readonly Evidence[];
  /** By its data report; empty where it has none. */
  readonly licences: readonly DataShare[];
  /** What watched its last stage, as its report states it; empty where there is none. */
  readonly guards: readonly StatedGuard[];
  /** What its card leaves out. */
  readonly missing: readonly string[];
}

/**
 * Inspects a folder, a .safetensors or a .gguf file.
 * @param behaviour what running the model showed, see `chatBehaviourJob`
 */
export async function inspectModel(path: string, behaviour: readonly Evidence[] = []): Promise<ModelInspection> {
  const adapter = adapterOf(path);
  const description = adapter === undefined ? describeModelFile(path) : describeModelFile(join(path, adapterWeights));
  const facts = await factsOf(path, description, adapter !== undefined);
  const { stage, confidence, evidence } = judgeStage([...evidenceOf(facts), ...behaviour]);
  return {
    ...description,
    path,
    ...(adapter !== undefined && {
      architecture: `${adapter.peft_type} adapter of ${adapter.base_model_name_or_path ?? "an unnamed model"}`,
    }),
    ...{ stage, confidence, evidence, licences: licencesOf(path), guards: guardsOf(path) },
    missing: missingFrom(facts.card),
  };
}

const adapterWeights = "adapter_model.safetensors";
const adapterSchema = z.looseObject({ peft_type: z.string(), base_model_name_or_path: z.string().nullish() });

/** adapter_config.json of a folder that holds an adapter in PEFT's layout and no model. */
function adapterOf(path: string) {
  const file = join(path, "adapter_config.json");
  if (!existsSync(file) || existsSync(join(path, "config.json")) || !existsSync(join(path, adapterWeights)))
    return undefined;
  const parsed = adapterSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success) throw new TilthError(`${file} is no configuration of an adapter: peft_type is missing`);
  return parsed.data;
}

async function factsOf(path: string, description: ModelFileDescription, isAdapter: boolean): Promise<FolderFacts> {
  const record = readRecord(path);
  const isFolder = statSync(path).isDirectory();
  const text = (name: string) =>
    isFolder && existsSync(join(path, name)) ? readFileSync(join(path, name), "utf8") : undefined;
  const adaptation = text("adaptation.json");
  const stated =
    adaptation === undefined ? undefined : z.looseObject({ stage: z.string() }).safeParse(JSON.parse(adaptation)).data;
  const inGguf = description.metadata["tokenizer.chat_template"];
  return {
    ...(record && { lineage: { ...stageOfRecord(record), weightsAgree: await weightsAgree(path, record) } }),
    adaptation: stated?.stage,
    card: text("README.md"),
    architecture: description.architecture,
    isAdapter,
    chatTemplate: isFolder ? readTokenizerSettings(path).chatTemplate : typeof inGguf === "string" ? inGguf : undefined,
    specialTokens: description.tokenizer?.specialTokens ?? [],
  };
}

/** What of a record decides the stage: the newest command that trained weights. */
function stageOfRecord(record: LineageRecord): { readonly commands: readonly string[]; readonly stage?: Stage } {
  const made = [record, ...record.ancestors.toReversed()].filter(({ activity }) =>
    /^(train$|adapt )/.test(activity.command),
  );
  const commands = made.map(({ activity }) => activity.command);
  if (made.length === 0) return { commands };
  const [{ activity, used }] = made;
  if (activity.command === "train")
    return { commands, stage: used.some(({ role }) => role === "base checkpoint") ? "continued" : "base" };
  const stage = String(activity.details.stage);
  return { commands, ...(isStage(stage) && { stage }) };
}

function guardsOf(path: string): StatedGuard[] {
  const file = join(path, "adaptation.json");
  if (!existsSync(file)) return [];
  const stated = z.looseObject({ guards: z.array(statedGuard) }).safeParse(JSON.parse(readFileSync(file, "utf8")));
  return (stated.data?.guards ?? []).map(({ name, value, limit, unit, verdict }) => ({
    name,
    value,
    limit,
    unit,
    verdict,
  }));
}

const group = z.looseObject({ name: z.string(), keptBytes: z.number() });
const reportSchema = z.looseObject({ byLicence: z.array(group) });

/** Shares by licence, largest first, of the data report that travels with a checkpoint. */
function licencesOf(path: string): DataShare[] {
  const file = join(path, "data-report.json");
  if (!existsSync(file)) return [];
  const report = reportSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!report.success) return [];
  const kept = report.data.byLicence.filter(({ keptBytes }) => keptBytes > 0);
  const total = kept.reduce((sum, { keptBytes }) => sum + keptBytes, 0);
  return kept
    .map(({ name, keptBytes }) => ({ licence: name, share: keptBytes / total }))
    .sort((a, b) => b.share - a.share);
}
