/** What instruction and preference tuning share: the chat template, a reference, and what the model writes. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AdaptationSettings,
  type BehaviourFigures,
  behaviourOf,
  ChatTemplate,
  type PlacedModel,
  plainTemplate,
  requestsToRefuse,
} from "../adaptation/index.ts";
import { profanityOf } from "../corpus/index.ts";
import type { Backend } from "../engine/index.ts";
import { readTokenizerSettings } from "../export/index.ts";
import { TilthError } from "../foundation/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { type LoadedModel, loadModel } from "./checkpoint-reader.ts";

/** How conversations become text, and what is asked of the model while it learns. */
export interface ChatOptions {
  /** A Jinja file instead of the checkpoint's own template. */
  readonly template?: string;
  /** Requests to decline; a short list of Tilth's if left out. */
  readonly requests?: readonly string[];
  /** Tokens of an answer, of those that are asked for while it learns. */
  readonly answerTokens: number;
}

/** Prompts that are asked at a validation. */
const asked = 16;

/** The template given, the checkpoint's, or plain words for roles. */
export function chatTemplateFor(
  checkpoint: string,
  { template }: Partial<ChatOptions>,
  tokenizer: Tokenizer,
): ChatTemplate {
  const settings = readTokenizerSettings(checkpoint);
  const endOfText = [...tokenizer.specialTokens].find(([, id]) => id === tokenizer.endOfText)?.[0] ?? "";
  const special = { bos_token: settings.beginOfText ?? endOfText, eos_token: settings.endOfText ?? endOfText };
  if (template !== undefined) {
    if (!existsSync(template))
      throw new TilthError(`there is no file ${template}`, { remedy: "Give --template a Jinja file." });
    return new ChatTemplate(readFileSync(template, "utf8"), special, template);
  }
  return new ChatTemplate(settings.chatTemplate ?? plainTemplate, special, `the chat template of ${checkpoint}`);
}

/** The files by which transformers finds the template. */
export function templateFiles(checkpoint: string, template: ChatTemplate): Record<string, string> {
  const file = join(checkpoint, "tokenizer_config.json");
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as object) : {};
  return {
    "chat_template.jinja": template.source,
    "tokenizer_config.json": `${JSON.stringify({ ...before, chat_template: template.source }, null, 2)}\n`,
  };
}

/** The model as it was, for inference. Throws TilthError where `own` has another tokenizer. */
export function referenceFor(checkpoint: string, backend: Backend, own?: LoadedModel): LoadedModel {
  const reference = loadModel(checkpoint, backend);
  if (own !== undefined && reference.tokenizer.toJson() !== own.tokenizer.toJson()) {
    reference.model.dispose();
    throw new TilthError(
      `the reference ${checkpoint} has another tokenizer than the model: their probabilities cannot be compared`,
      {
        remedy: "Give a reference with the same tokenizer.json, such as the checkpoint itself.",
      },
    );
  }
  return reference;
}

export function requireDecoder({ model }: Pick<LoadedModel, "model">): void {
  if (model.architecture.family === "decoder") return;
  throw new TilthError(`a ${model.architecture.name} writes no answers: this needs a decoder`, {
    remedy: "Use tilth adapt classify, or give a GPT.",
  });
}

/** Asks the model what it writes after those prompts and after requests to decline. */
export function behaviourFor(
  loaded: LoadedModel,
  reference: PlacedModel,
  template: ChatTemplate,
  options: Omit<ChatOptions, "template"> & {
    readonly prompts: readonly string[];
    readonly settings: AdaptationSettings;
  },
): () => Promise<BehaviourFigures> {
  const { model, tokenizer } = loaded;
  const { context } = model.architecture.dimensions(model.configuration);
  const maximumTokens = Math.min(options.answerTokens, Math.floor(context / 2));
  const encode = (text: string) => {
    const ids = tokenizer.encode(text, { allowSpecial: true });
    const kept = ids.subarray(Math.max(0, ids.length - (context - maximumTokens - 1)));
    return kept[0] === tokenizer.endOfText ? kept : Int32Array.of(tokenizer.endOfText, ...kept);
  };
  const requests = options.requests ?? requestsToRefuse;
  const settings = {
    prompts: options.prompts.slice(0, asked).map(encode),
    requests: requests.map((content) => encode(template.prompt([{ role: "user", content }]))),
    isToxic: (text: string) => profanityOf(text).profane > 0,
    ...{ maximumTokens, seed: options.settings.seed },
  };
  return () => behaviourOf(loaded, tokenizer, settings, reference);
}
