/** Classes for texts, words or pictures: a head on a checkpoint, fine-tuned with it. */
import {
  type AdaptationReport,
  adaptToClasses,
  type ClassifyResult,
  classNumbers,
  type DataFile,
  type ExamplePart,
  ImageHead,
  imageExamples,
  labelledTexts,
  labelledWords,
  prepareModel,
  type SavedHead,
  saveAdapted,
  TextHead,
  type TextTask,
  textExamples,
  textRows,
  wordRows,
} from "../adaptation/index.ts";
import type { Backend } from "../engine/index.ts";
import { readRows } from "../evaluation/index.ts";
import { TilthError } from "../foundation/index.ts";
import { ImageLoader, readPairs } from "../images/index.ts";
import { PairStream } from "../training/index.ts";
import { type AdaptClassifyInput, type Part, partsOf } from "./adapt-classes.ts";
import {
  type AdaptEvent,
  generalLossFor,
  loadForAdaptation,
  reportBasis,
  requireNoOutput,
  warnOfProfanity,
} from "./adapt-common.ts";
import { openDevice } from "./device.ts";
import { loadImageTextModel } from "./image-text-model.ts";
import type { Job, JobContext } from "./job.ts";

export interface AdaptClassifyOutput {
  readonly report: AdaptationReport;
  readonly output: string;
}

export const adaptClassifyJob: Job<AdaptClassifyInput, AdaptEvent, AdaptClassifyOutput> = {
  name: "adapt-classify",
  async run(input, context) {
    requireNoOutput(input.output);
    const backend = await openDevice(input.device, (message) => context.emit({ kind: "warning", message }));
    try {
      return await (input.what === "image" ? classifyPictures : classifyTexts)(input, backend, context);
    } finally {
      backend.dispose();
    }
  },
};

async function classifyTexts(input: AdaptClassifyInput, backend: Backend, context: JobContext<AdaptEvent>) {
  const { what, fields, settings, fromScratch } = input;
  const task = what as TextTask;
  const read = async (file: string | undefined) => {
    if (file === undefined) return undefined;
    const rows = await readRows(file);
    // Both kinds as words: a text is one word with one label.
    const contents =
      task === "token"
        ? labelledWords(rows, file, fields)
        : labelledTexts(rows, file, fields).map(({ text, label, ...rest }) => ({
            ...rest,
            words: [text],
            labels: [label],
          }));
    return { contents, file };
  };
  const parts = await partsOf(input, read, ({ labels }) => labels);
  warnOfProfanity(
    parts.all[0].contents.map(({ words }) => words.join(" ")),
    "training texts",
    context.emit,
  );
  const loaded = loadForAdaptation(input, backend);
  const { engine, model, tokenizer } = loaded;
  if (fromScratch) model.arena.initialize(settings.seed);
  const head = new TextHead(model, task, parts.classes.length, settings.seed);
  const { arenas, adapter, dropout } = prepareModel(engine, model, settings, [head.arena]);
  const examplesOf = ({ contents }: Part<{ words: readonly string[]; labels: readonly string[] }>, whose: string) => {
    const numbers = contents.map(({ labels }) => classNumbers(labels, parts.classes, whose));
    const rows =
      task === "token"
        ? wordRows(model, tokenizer, contents, numbers)
        : textRows(
            model,
            tokenizer,
            contents.map(({ words, labels, ...rest }) => ({ ...rest, text: words[0], label: labels[0] })),
            Int32Array.from(numbers, ([number]) => number),
          );
    return textExamples(model, head, tokenizer, rows, dropout);
  };
  const general = await generalLossFor(input, loaded);
  try {
    const made = parts.map(examplesOf);
    const result = await adaptToClasses(
      engine,
      { arenas, classes: parts.classes, ...made, settings, ...(general && { generalLoss: general.measure }) },
      context,
    );
    const report = await reportOf(input, parts.classes, parts.files, result);
    await saveAdapted(input.output, {
      model,
      head: { arena: head.arena, names: head.names, classes: parts.classes, padding: tokenizer.endOfText },
      ...(adapter && { adapter }),
      task: task === "token" ? "TOKEN_CLS" : "SEQ_CLS",
      pipeline: task === "token" ? "token-classification" : "text-classification",
      report,
    });
    return { report, output: input.output };
  } finally {
    general?.close();
  }
}

async function classifyPictures(input: AdaptClassifyInput, backend: Backend, context: JobContext<AdaptEvent>) {
  const { settings, fromScratch } = input;
  const read = async (folder: string | undefined) => {
    if (folder === undefined) return undefined;
    const contents = readPairs(folder).pairs.filter((pair) => pair.class !== undefined);
    if (contents.length === 0) {
      throw new TilthError(`${folder} names no classes of its pictures`, {
        remedy: "Give a folder with one folder of pictures a class, or captions.jsonl with a class each.",
      });
    }
    return { contents, file: folder };
  };
  const parts = await partsOf(input, read, (pair) => [pair.class!]);
  const use = settings.lora === undefined ? "training" : ({ matrices: "f32" } as const);
  const { engine, model, images, text } = loadImageTextModel(input.checkpoint, backend, use);
  if (fromScratch) model.arena.initialize(settings.seed);
  const loader = new ImageLoader(images);
  try {
    const head = new ImageHead(model, parts.classes.length, settings.seed);
    const { arenas, adapter, dropout } = prepareModel(engine, model, settings, [head.arena]);
    const decoded = new Map<string, ExamplePart["examples"]>();
    for (const { contents, file } of parts.all) {
      const stream = new PairStream(contents, loader, images.size, text);
      const { batch, pairs } = await stream.wholeBatch(contents.length);
      if (pairs.length < contents.length) {
        const [[name, reason]] = stream.damaged;
        throw new TilthError(
          `${file}: ${contents.length - pairs.length} pictures cannot be decoded; the first is ${name}: ${reason}`,
        );
      }
      const numbers = classNumbers(
        pairs.map((pair) => pair.class!),
        parts.classes,
        file,
      );
      decoded.set(file, imageExamples(head, { pixels: batch.pixels, size: images.size, numbers }, dropout));
    }
    const made = parts.map(({ file }) => decoded.get(file)!);
    const result = await adaptToClasses(engine, { arenas, classes: parts.classes, ...made, settings }, context);
    const report = await reportOf(input, parts.classes, parts.files, result);
    const saved: SavedHead = { arena: head.arena, names: head.names, classes: parts.classes };
    await saveAdapted(input.output, {
      ...{ model, head: saved, report, task: "FEATURE_EXTRACTION", pipeline: "image-classification" },
      ...(adapter && { adapter }),
    });
    return { report, output: input.output };
  } finally {
    await loader.close();
  }
}

async function reportOf(
  input: AdaptClassifyInput,
  classes: readonly string[],
  data: readonly DataFile[],
  { loop, validation, test, guards, trade }: ClassifyResult,
): Promise<AdaptationReport> {
  const { what, fromScratch, labels } = input;
  return {
    ...(await reportBasis(input, loop)),
    ...{ stage: "fine-tuned", method: "classify" },
    ...{ data, methodSettings: { what, fromScratch, labels: labels ?? null } },
    ...{ guards, trade, classes, validation, ...(test && { test }) },
  };
}
