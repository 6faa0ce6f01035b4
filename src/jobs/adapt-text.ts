/** Continued training of a checkpoint on texts, or fine-tuning on prompts with responses. */
import {
  type AdaptationReport,
  adaptToText,
  describeData,
  describeParent,
  documentExamples,
  heldOut,
  type LanguageExamples,
  madeBy,
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
  type AdaptCommonInput,
  type AdaptEvent,
  generalLossFor,
  loadForAdaptation,
  requireNoOutput,
  textsOf,
} from "./adapt-common.ts";
import type { LoadedModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { Job } from "./job.ts";

export interface AdaptTextInput extends AdaptCommonInput {
  /** Rows of `text`, or of `prompt` and `response`. */
  readonly train: { readonly texts: string } | { readonly pairs: string };
  /** Tokens of a row; the model's context at most. */
  readonly sequenceLength: number;
  readonly validationShare: number;
}

export interface AdaptTextOutput {
  readonly report: AdaptationReport;
  readonly output: string;
}

export const adaptTextJob: Job<AdaptTextInput, AdaptEvent, AdaptTextOutput> = {
  name: "adapt-text",
  async run(input, context) {
    requireNoOutput(input.output);
    const { settings, train: file, licence = null } = input;
    const backend = await openDevice(input.device, (message) => context.emit({ kind: "warning", message }));
    try {
      const loaded = loadForAdaptation(input, backend);
      const { engine, model } = loaded;
      const { train, validation, rows } =
        "texts" in file ? await textParts(input, file.texts, loaded) : await pairParts(input, file.pairs, loaded);
      const general = await generalLossFor(input, loaded);
      try {
        const { arenas, adapter, dropout } = prepareModel(engine, model, settings);
        const parts = {
          arenas,
          train,
          validation,
          settings,
          dropout,
          ...(general && { generalLoss: general.measure }),
        };
        const { loop, guards, trade } = await adaptToText(engine, model, parts, context);
        const report: AdaptationReport = {
          ...{ version: 1, madeBy: madeBy(), stage: "texts" in file ? "continued" : "fine-tuned", method: "full" },
          weights: settings.lora === undefined ? "all" : input.merge ? "merged adapters" : "adapters",
          parent: await describeParent(input.checkpoint),
          data: [await describeData("train", "texts" in file ? file.texts : file.pairs, rows, licence)],
          ...{
            settings,
            methodSettings: { sequenceLength: input.sequenceLength, validationShare: input.validationShare },
          },
          ...{
            steps: loop.steps,
            bestStep: loop.bestStep,
            stopped: loop.stopped ?? null,
            curve: loop.curve,
            guards,
            trade,
          },
        };
        if (input.merge) adapter?.merge();
        const isDecoder = model.architecture.family === "decoder";
        await saveAdapted(input.output, {
          ...{ model, report, ...(adapter && !input.merge && { adapter }) },
          task: isDecoder ? "CAUSAL_LM" : "FEATURE_EXTRACTION",
          pipeline: isDecoder ? "text-generation" : "fill-mask",
        });
        return { report, output: input.output };
      } finally {
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
}

/** Whole documents are held out, so that no piece of one is on both sides. */
async function textParts(input: AdaptTextInput, file: string, { model, tokenizer }: LoadedModel): Promise<Parts> {
  const texts = await textsOf(file);
  const split = heldOut(texts.length, input.validationShare, input.settings.seed);
  const [train, validation] = [split.train, split.held].map((indices) => {
    const source = textSource(
      tokenizer,
      indices.map((index) => texts[index]),
    );
    return documentExamples(model, source, lengthFor(input, { model }));
  });
  requireRows(file, train, validation);
  return { train, validation, rows: texts.length };
}

async function pairParts(input: AdaptTextInput, file: string, { model, tokenizer }: LoadedModel): Promise<Parts> {
  if (model.architecture.family !== "decoder") {
    throw new TilthError(`a ${model.architecture.name} writes no responses: --pairs is for decoders`, {
      remedy: "Give --texts, or use tilth adapt classify.",
    });
  }
  const pairs = promptResponses(await readRows(file), file);
  const length = lengthFor(input, { model });
  const examples = pairs.map((pair) => promptExample(tokenizer, pair, length));
  const split = heldOut(pairs.length, input.validationShare, input.settings.seed);
  const [train, validation] = [split.train, split.held].map((indices) => {
    const own = indices.map((index) => examples[index]).filter(({ targets }) => targets.some((target) => target >= 0));
    return responseExamples(own, packExamples(own, length), tokenizer.endOfText);
  });
  requireRows(file, train, validation);
  return { train, validation, rows: pairs.length };
}

function lengthFor({ sequenceLength }: AdaptTextInput, { model }: Pick<LoadedModel, "model">): number {
  return Math.min(sequenceLength, model.architecture.dimensions(model.configuration).context);
}

function requireRows(file: string, train: LanguageExamples, validation: LanguageExamples): void {
  if (train.count > 0 && validation.count > 0) return;
  throw new TilthError(`${file} gives ${train.count} rows to train on and ${validation.count} to validate on`, {
    remedy: "Give more text, or a smaller --sequence-length.",
  });
}
