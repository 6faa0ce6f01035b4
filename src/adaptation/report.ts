/** What an adaptation leaves beside the weights: `adaptation.json`, and the same for people. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "zod";
import { readSafetensorsFolder } from "../formats/index.ts";
import { hashFile, packageVersion } from "../foundation/index.ts";
import type { ClassificationResult } from "./classification.ts";
import type { GuardResult } from "./guards/index.ts";
import type { LoopResult } from "./loop.ts";
import type { AdaptationSettings } from "./settings.ts";

export const adaptationFile = "adaptation.json";

/** What has happened to a checkpoint since pre-training. */
export type AdaptedStage = "continued" | "fine-tuned" | "instruct" | "aligned";
export type AdaptationMethod = "classify" | "full" | "sft" | "dpo";

/** A figure before and after, and which way is better. */
export interface Trade {
  readonly name: string;
  readonly unit: string;
  readonly before: number | null;
  readonly after: number | null;
  readonly better: "higher" | "lower" | "near before";
}

/** A file that was learned from, or measured on. */
export interface DataFile {
  readonly role: string;
  readonly file: string;
  /** SHA-256 of the file, or of what `sha256sum` prints for a folder's files. */
  readonly sha256: string;
  readonly rows: number;
  /** SPDX expression, where it was said. */
  readonly licence: string | null;
}

/** The checkpoint that was adapted. */
export interface ParentCheckpoint {
  readonly path: string;
  /** SHA-256 of each file of weights. */
  readonly weights: Readonly<Record<string, string>>;
  /** Its own `adaptation.json` says so; `base` where it has none. */
  readonly stage: string;
}

/** The contents of `adaptation.json`. */
export interface AdaptationReport {
  readonly version: 1;
  readonly madeBy: string;
  readonly stage: AdaptedStage;
  readonly method: AdaptationMethod;
  /** Whether all weights were trained, or adapters beside them; `merged`: adapters that the weights now contain. */
  readonly weights: "all" | "adapters" | "merged adapters";
  readonly parent: ParentCheckpoint;
  readonly data: readonly DataFile[];
  readonly settings: AdaptationSettings;
  /** Settings of the method alone, such as DPO's beta. */
  readonly methodSettings: Readonly<Record<string, unknown>>;
  readonly steps: number;
  readonly bestStep: number;
  readonly stopped: LoopResult["stopped"] | null;
  readonly curve: LoopResult["curve"];
  readonly guards: readonly GuardResult[];
  readonly trade: readonly Trade[];
  readonly classes?: readonly string[];
  readonly test?: ClassificationResult;
  readonly validation?: ClassificationResult;
}

const stageOnly = z.looseObject({ stage: z.string() });

/** What is known of a checkpoint's folder. */
export async function describeParent(folder: string): Promise<ParentCheckpoint> {
  const weights = readSafetensorsFolder(folder);
  const files = [...weights.files];
  weights.close();
  const hashes: Record<string, string> = {};
  for (const file of files) hashes[file] = await hashFile(join(folder, file));
  return { path: folder, weights: hashes, stage: stageOf(folder) };
}

/** The stage that a folder's own report states; `base` where there is none. */
export function stageOf(folder: string): string {
  const file = join(folder, adaptationFile);
  if (!existsSync(file)) return "base";
  const parsed = stageOnly.safeParse(JSON.parse(readFileSync(file, "utf8")));
  return parsed.success ? parsed.data.stage : "base";
}

/** A data file, or a folder of them, with its hash. */
export async function describeData(
  role: string,
  file: string,
  rows: number,
  licence: string | null,
): Promise<DataFile> {
  return { role, file, sha256: await digestOf(file), rows, licence };
}

/** SHA-256 of a file; of a folder that of what `sha256sum` prints for its files, sorted by name, as lineage has it. */
async function digestOf(path: string): Promise<string> {
  if (!statSync(path).isDirectory()) return hashFile(path);
  const lines: string[] = [];
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    lines.push(`${await hashFile(file)}  ${relative(path, file).replaceAll("\\", "/")}\n`);
  }
  const byName = lines.sort((a, b) => (a.slice(64) < b.slice(64) ? -1 : 1));
  return createHash("sha256").update(byName.join("")).digest("hex");
}

export const madeBy = () => `Tilth ${packageVersion()}`;

const shown = (value: number | null) => (value === null ? "–" : value.toPrecision(4));

/** The report as lines for a terminal: the trade, then the guards. */
export function describeReport(
  report: Pick<AdaptationReport, "trade" | "guards" | "stopped" | "steps" | "bestStep">,
): string[] {
  const width = Math.max(12, ...report.trade.map(({ name }) => name.length));
  const column = (text: string) => text.padStart(12);
  return [
    `${report.steps} steps, weights of step ${report.bestStep}${report.stopped ? `; ended because ${report.stopped.reason}` : ""}`,
    "",
    `${"".padEnd(width)}${column("before")}${column("after")}`,
    ...report.trade.map(
      ({ name, unit, before, after, better }) =>
        `${name.padEnd(width)}${column(shown(before))}${column(shown(after))}  ${unit}; better: ${better}`,
    ),
    "",
    "Guards",
    ...report.guards.map(({ name, value, limit, unit, verdict, step }) => {
      const figure = verdict === "not measured" ? "" : `: ${shown(value)} at step ${step}, limit ${limit} ${unit}`;
      return `  ${name.padEnd(20)} ${verdict}${figure}`;
    }),
  ];
}
