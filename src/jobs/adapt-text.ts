/** Continued training of a checkpoint on texts, or fine-tuning on prompts with responses. */
import {
  type AdaptationReport,
  adaptToText,
  type ChatTemplate,
  chatExample,
  conversations,
  describeData,
  documentExamples,
  heldOut,
  type LanguageExamples,
  type MaskedExample,
  packExamples,
  prepareModel,
  promptExample,
  promptResponses,
  responseExamples,
  saveAdapted,
  textSource,
} from "../adaptation/index.ts";
import { readRows } from "../evaluation/index.ts";
import { TilthError } from "../foundation/index.ts";
import {
  behaviourFor,
  type ChatOptions,
  chatTemplateFor,
  referenceFor,
  requireDecoder,
  templateFiles,
} from "./adapt-chat.ts";
import {
  type AdaptCommonInput,
  type AdaptEvent,
  generalLossFor,
  lengthFor,
  loadForAdaptation,
  reportBasis,
  requireNoOutput,
  textsOf,
  warnOfProfanity,
} from "./adapt-common.ts";
import type { LoadedModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { Job } from "./job.ts";

export interface AdaptTextInput extends AdaptCommonInput {
  /** Rows of `text`, of `prompt` and `response`, or of `messages`. */
  readonly train:
    | { readonly texts: string }
    | { readonly pairs: string }
    | { readonly chats: string; readonly chat: ChatOptions };
  /** Tokens of a row; the model's context at most. */
  readonly sequenceLength: number;
  readonly validationShare: number;
}

export interface AdaptTextOutput {
  readonly report: AdaptationReport;
  readonly output: string;
}

/** What each kind of data makes of a checkpoint. */
const outcomes = {
  texts: { stage: "continued", method: "full" },
  pairs: { stage: "fine-tuned", method: "full" },
  chats: { stage: "instruct", method: "sft" },
} as const;

export const adaptTextJob: Job<AdaptTextInput, AdaptEvent, AdaptTextOutput> = {
  name: "adapt-text",
  async run(input, context) {
    requireNoOutput(input.output);
    const { settings, train: file, licence = null } = input;
    const backend = await openDevice(input.device, (message) => context.emit({ kind: "warning", message }));
    try {
      const loaded = loadForAdaptation(input, backend);
      const { engine, model } = loaded;
      const kind = "texts" in file ? "texts" : "pairs" in file ? "pairs" : "chats";
      const { train, validation, rows, prompts, template, answers } = await partsOf(input, loaded);
      if (answers !== undefined) warnOfProfanity(answers, "answers", context.emit);
      const general = await generalLossFor(input, loaded);
      const reference = prompts && referenceFor(input.checkpoint, backend);
      try {
        const { arenas, adapter, dropout } = prepareModel(engine, model, settings);
        const watched = {
          ...(general && { generalLoss: general.measure }),
          ...(reference && {
            behaviour: behaviourFor(loaded, reference, template!, {
              prompts: prompts!,
              ...(file as { chat: ChatOptions }).chat,
              settings,
            }),
          }),
        };
        const parts = { arenas, train, validation, settings, dropout, watched };
        const { loop, guards, trade } = await adaptToText(engine, model, parts, context);
        const report: AdaptationReport = {
          ...(await reportBasis(input, loop)),
          ...outcomes[kind],
          data: [await describeData("train", fileOf(file), rows, licence)],
          methodSettings: { sequenceLength: input.sequenceLength, validationShare: input.validationShare },
          ...{ guards, trade },
        };
        const isDecoder = model.architecture.family === "decoder";
        await saveAdapted(input.output, {
          ...{ model, report, ...(adapter && { adapter }) },
          task: isDecoder ? "CAUSAL_LM" : "FEATURE_EXTRACTION",
          pipeline: isDecoder ? "text-generation" : "fill-mask",
          ...(template && { files: templateFiles(input.checkpoint, template) }),
        });
        return { report, output: input.output };
      } finally {
        reference?.model.dispose();
        general?.close();
      }
    } finally {
      backend.dispose();
    }
  },
};

interface Parts {
  readonly train: LanguageExamples;
  readonly validation: LanguageExamples;
  readonly rows: number;
  /** Of chats: what held-out answers answer, as the template writes it. */
  readonly prompts?: readonly string[];
  readonly template?: ChatTemplate;
  readonly answers?: readonly string[];
}

function partsOf(input: AdaptTextInput, loaded: LoadedModel): Promise<Parts> {
  const { train } = input;
  if ("texts" in train) return textParts(input, train.texts, loaded);
  if ("pairs" in train) return pairParts(input, train.pairs, loaded);
  return chatParts(input, train.chats, train.chat, loaded);
}

function fileOf(train: AdaptTextInput["train"]): string {
  return "texts" in train ? train.texts : "pairs" in train ? train.pairs : train.chats;
}

/** Whole documents are held out, so that no piece of one is on both sides. */
async function textParts(input: AdaptTextInput, file: string, loaded: LoadedModel): Promise<Parts> {
  const { model, tokenizer } = loaded;
  const texts = await textsOf(file);
  const split = heldOut(texts.length, input.validationShare, input.settings.seed);
  const [train, validation] = [split.train, split.held].map((indices) => {
    const source = textSource(
      tokenizer,
      indices.map((index) => texts[index]),
    );
    return documentExamples(model, source, lengthFor(input, loaded));
  });
  requireRows(file, train, validation);
  return { train, validation, rows: texts.length };
}

async function pairParts(input: AdaptTextInput, file: string, loaded: LoadedModel): Promise<Parts> {
  requireDecoder(loaded);
  const pairs = promptResponses(await readRows(file), file);
  const length = lengthFor(input, loaded);
  const examples = pairs.map((pair) => promptExample(loaded.tokenizer, pair, length));
  return { ...responseParts(input, file, examples, loaded), rows: pairs.length };
}

async function chatParts(
  input: AdaptTextInput,
  file: string,
  options: ChatOptions,
  loaded: LoadedModel,
): Promise<Parts> {
  requireDecoder(loaded);
  const { tokenizer } = loaded;
  const template = chatTemplateFor(input.checkpoint, options, tokenizer);
  const chats = conversations(await readRows(file), file);
  const length = lengthFor(input, loaded);
  const examples = chats.map((messages) => chatExample(tokenizer, template, messages, length));
  const parts = responseParts(input, file, examples, loaded);
  const prompts = parts.held.map((index) => {
    const last = chats[index].findLastIndex(({ role }) => role === "assistant");
    return template.prompt(chats[index].slice(0, last));
  });
  const answers = chats.flatMap((chat) =>
    chat.filter(({ role }) => role === "assistant").map(({ content }) => content),
  );
  return { ...parts, rows: chats.length, prompts, template, answers };
}

function responseParts(input: AdaptTextInput, file: string, examples: readonly MaskedExample[], loaded: LoadedModel) {
  const { settings, validationShare } = input;
  const split = heldOut(examples.length, validationShare, settings.seed);
  const [train, validation] = [split.train, split.held].map((indices) => {
    const own = indices.map((index) => examples[index]).filter(({ targets }) => targets.some((target) => target >= 0));
    return responseExamples(own, packExamples(own, lengthFor(input, loaded)), loaded.tokenizer.endOfText);
  });
  requireRows(file, train, validation);
  return { train, validation, held: split.held };
}

function requireRows(file: string, train: LanguageExamples, validation: LanguageExamples): void {
  if (train.count > 0 && validation.count > 0) return;
  throw new TilthError(`${file} gives ${train.count} rows to train on and ${validation.count} to validate on`, {
    remedy: "Give more text, or a smaller --sequence-length.",
  });
}
