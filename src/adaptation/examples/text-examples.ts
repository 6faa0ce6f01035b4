/** Labelled texts and words as a model with a head reads them. */
import type { LanguageModel } from "../../models/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { paddedBatch } from "../batches.ts";
import type { ClassifiableExamples } from "../classification.ts";
import type { TextHead } from "../heads/index.ts";
import type { ClassifiedText, ClassifiedWords } from "./labelled.ts";

/** Token rows of texts, and where in each row the labelled tokens are. */
interface TokenRows {
  readonly rows: readonly Int32Array[];
  /** Token task only. */
  readonly places?: readonly Int32Array[];
  readonly labels: readonly Int32Array[];
  readonly groups?: readonly string[];
}

/** A text between the tokens that it stands between in training, cut to the model's context. */
export function framed(model: LanguageModel, tokenizer: Tokenizer, ids: Int32Array): Int32Array {
  const { context } = model.architecture.dimensions(model.configuration);
  const first = tokenizer.specialTokens.get("[CLS]") ?? tokenizer.endOfText;
  const isDecoder = model.architecture.family === "decoder";
  const body = ids.subarray(0, context - (isDecoder ? 1 : 2));
  // A decoder is read at the last token of the text, as transformers reads it.
  return isDecoder ? Int32Array.of(first, ...body) : Int32Array.of(first, ...body, tokenizer.endOfText);
}

/** Whole texts with one class each. */
export function textRows(
  model: LanguageModel,
  tokenizer: Tokenizer,
  examples: readonly ClassifiedText[],
  numbers: Int32Array,
): TokenRows {
  const ids = tokenizer.encodeBatch(examples.map(({ text }) => text));
  return {
    rows: ids.map((one) => framed(model, tokenizer, one)),
    labels: Array.from(numbers, (number) => Int32Array.of(number)),
    ...groupsOf(examples),
  };
}

/**
 * Words with a class each: that of a word's first token, as is usual, or for a decoder its last, the only one that has seen the
 * whole word. Words beyond the model's context are left out.
 */
export function wordRows(
  model: LanguageModel,
  tokenizer: Tokenizer,
  examples: readonly ClassifiedWords[],
  numbers: readonly Int32Array[],
): TokenRows {
  const isDecoder = model.architecture.family === "decoder";
  const made = examples.map(({ words }, index) => {
    const places: number[] = [];
    const ids: number[] = [];
    words.forEach((word, position) => {
      const own = tokenizer.encode(position === 0 ? word : ` ${word}`);
      places.push(ids.length + (isDecoder ? own.length : 1));
      ids.push(...own);
    });
    const row = framed(model, tokenizer, Int32Array.from(ids));
    const last = isDecoder ? row.length : row.length - 1;
    const kept = places.filter((place) => place < last);
    return { row, places: Int32Array.from(kept), labels: numbers[index].slice(0, kept.length) };
  });
  return {
    rows: made.map(({ row }) => row),
    places: made.map(({ places }) => places),
    labels: made.map(({ labels }) => labels),
    ...groupsOf(examples),
  };
}

function groupsOf(examples: readonly { readonly group?: string }[]): { groups?: readonly string[] } {
  return examples.every(({ group }) => group !== undefined) ? { groups: examples.map(({ group }) => group!) } : {};
}

/** Examples that the head classifies. `dropout` is told of every pass' key. */
export function textExamples(
  model: LanguageModel,
  head: TextHead,
  tokenizer: Tokenizer,
  { rows, places, labels, groups }: TokenRows,
  dropout: (key: number | undefined) => void,
): ClassifiableExamples {
  return {
    labels,
    ...(groups && { groups }),
    logits(engine, examples, key) {
      dropout(key);
      const some = examples.map((index) => rows[index]);
      const batch = { ...paddedBatch(model, some, tokenizer.endOfText), ...(key !== undefined && { dropoutKey: key }) };
      const wanted =
        places && examples.flatMap((index, row) => Array.from(places[index], (at) => row * batch.length + at));
      const lengths = some.map((row) => row.length);
      return head.logits(engine, batch, lengths, wanted && Int32Array.from(wanted));
    },
  };
}
