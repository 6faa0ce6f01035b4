/** What classification is told, and its examples: read, split, and made into what a head is run on. */
import {
  balancedDraw,
  classesOf,
  classNumbers,
  describeData,
  type ExamplePart,
  heldOut,
  type LabelFields,
  type TextTask,
} from "../adaptation/index.ts";
import { TilthError } from "../foundation/index.ts";
import { type AdaptCommonInput, present } from "./adapt-common.ts";

export interface AdaptClassifyInput extends AdaptCommonInput {
  /** Files of labelled texts or words, or sets of pictures that name classes. */
  readonly train: string;
  readonly validation?: string;
  readonly test?: string;
  readonly what: TextTask | "image";
  readonly fields: LabelFields;
  readonly classes?: readonly string[];
  /** Training examples, as many of every class as that allows; all if left out. */
  readonly labels?: number;
  /** Share of the training examples that is held out where no validation file is given. */
  readonly validationShare: number;
  /** Random weights instead of the checkpoint's: what pre-training is worth. */
  readonly fromScratch: boolean;
}

/** Labelled examples of one file, of whatever kind. */
export interface Part<Content> {
  readonly contents: readonly Content[];
  readonly file: string;
}

/** Reads all parts, names the classes and sets validation examples aside. */
export async function partsOf<Content>(
  input: AdaptClassifyInput,
  read: (file: string | undefined) => Promise<Part<Content> | undefined>,
  labelsOf: (content: Content) => readonly string[],
) {
  const train = (await read(input.train))!;
  const [validation, test] = [await read(input.validation), await read(input.test)];
  const classes = classesOf(train.contents.flatMap(labelsOf), input.classes);
  const first = classNumbers(
    train.contents.map((content) => labelsOf(content)[0]),
    classes,
    "the training examples",
  );
  const drawn = input.labels === undefined ? [...first.keys()] : balancedDraw(first, input.labels, input.settings.seed);
  if (input.labels !== undefined && drawn.length < input.labels) {
    throw new TilthError(`--labels asks for ${input.labels} examples, ${input.train} has ${drawn.length}`);
  }
  const ownClasses = Int32Array.from(drawn, (index) => first[index]);
  const split =
    validation === undefined
      ? heldOut(drawn.length, input.validationShare, input.settings.seed, ownClasses)
      : { train: [...drawn.keys()], held: [] };
  const indices = {
    train: split.train.map((index) => drawn[index]),
    validation: validation ? [...validation.contents.keys()] : split.held.map((index) => drawn[index]),
  };
  const licence = input.licence ?? null;
  const files = present([
    await describeData("train", train.file, indices.train.length, licence),
    validation && (await describeData("validation", validation.file, indices.validation.length, licence)),
    test && (await describeData("test", test.file, test.contents.length, licence)),
  ]);
  return {
    ...{ classes, files, all: [train, validation, test].filter((part) => part !== undefined) },
    /** Every part made into examples; parts of one file share them. */
    map(make: (part: Part<Content>, whose: string) => ExamplePart["examples"]) {
      const trained = make(train, "the training examples");
      const held = validation ? make(validation, "the validation examples") : trained;
      return {
        train: { examples: trained, indices: indices.train },
        validation: { examples: held, indices: indices.validation },
        ...(test && { test: { examples: make(test, "the test examples"), indices: [...test.contents.keys()] } }),
      };
    },
  };
}
