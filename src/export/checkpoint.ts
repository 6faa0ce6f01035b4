/** A finished checkpoint as exports need it: configuration, weights on disk, tokenizer. Nothing is loaded into an engine. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { WeightsFolder } from "../formats/index.ts";
import { messageOf, TilthError } from "../foundation/index.ts";
import type { StoredArchitecture } from "../models/index.ts";
import { openModelWeights, readHuggingFaceConfiguration, readStoredConfiguration } from "../training/index.ts";

/** An open checkpoint; `weights` are closed by the caller. */
export interface Checkpoint {
  readonly folder: string;
  readonly architecture: StoredArchitecture;
  readonly configuration: unknown;
  readonly weights: WeightsFolder;
}

/** Opens a Hugging Face folder. Throws TilthError naming the file, key or tensor that does not fit. */
export function openCheckpoint(folder: string): Checkpoint {
  if (!existsSync(folder)) {
    throw new TilthError(`there is no checkpoint at ${folder}`, { remedy: "Give the folder of a checkpoint." });
  }
  const { architecture, configuration } = readStoredConfiguration(folder);
  return { folder, architecture, configuration, weights: openModelWeights(folder, architecture, configuration) };
}

/** Fields of `config.json`: the folder's own, or what transformers would write for a checkpoint of open_clip. */
export function huggingFaceFields({ folder, architecture, configuration }: Checkpoint): Record<string, unknown> {
  return existsSync(join(folder, "config.json"))
    ? { ...readHuggingFaceConfiguration(folder) }
    : architecture.toHuggingFace(configuration);
}

const token = z
  .union([z.string(), z.looseObject({ content: z.string() }), z.null()])
  .transform((one) => (typeof one === "string" ? one : one?.content))
  .optional();

const settingsSchema = z.looseObject({
  bos_token: token,
  eos_token: token,
  add_bos_token: z.boolean().nullish(),
  chat_template: z.string().nullish(),
});

/** What `tokenizer_config.json` and `chat_template.jinja` say, as far as it matters outside of Tilth. */
export function readTokenizerSettings(folder: string) {
  const file = join(folder, "tokenizer_config.json");
  let json: unknown = {};
  try {
    if (existsSync(file)) json = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new TilthError(`${file} is not valid JSON: ${messageOf(cause)}`, { cause });
  }
  const parsed = settingsSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TilthError(`${file}: "${issue.path.join(".")}": ${issue.message}`);
  }
  const template = join(folder, "chat_template.jinja");
  return {
    beginOfText: parsed.data.bos_token,
    endOfText: parsed.data.eos_token,
    addBeginOfText: parsed.data.add_bos_token ?? undefined,
    chatTemplate: existsSync(template) ? readFileSync(template, "utf8") : (parsed.data.chat_template ?? undefined),
  };
}
