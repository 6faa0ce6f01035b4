/** A head as it was saved with its model. */
import { z } from "zod";
import { readSafetensorsFolder } from "../../formats/index.ts";
import { TilthError } from "../../foundation/index.ts";
import { type LanguageModel, mappedTensor } from "../../models/index.ts";
import { TextHead } from "./text-heads.ts";

const labelled = z.looseObject({
  architectures: z.array(z.string()).min(1),
  id2label: z.record(z.string().regex(/^\d+$/), z.string()),
});

/** The head that classifies texts in a folder, and its classes. Throws TilthError where the folder holds none. */
export function readTextHead(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  model: LanguageModel,
): { readonly head: TextHead; readonly classes: readonly string[] } {
  const parsed = labelled.safeParse(config);
  const isClassifier = parsed.success && parsed.data.architectures[0].endsWith("ForSequenceClassification");
  if (!isClassifier) {
    throw new TilthError(
      `${folder} holds no classifier of texts: its class is ${String((config.architectures as unknown[])?.[0])}`,
      {
        remedy: "Make one: tilth adapt classify <checkpoint> --train <file> --output <folder>",
      },
    );
  }
  const { id2label } = parsed.data;
  const classes = Object.keys(id2label)
    .sort((a, b) => Number(a) - Number(b))
    .map((id) => id2label[id]);
  const head = new TextHead(model, "sequence", classes.length, 0);
  const weights = readSafetensorsFolder(folder);
  try {
    for (const mapping of head.names.weights) {
      const { shape, data } = weights.floats(mapping.name);
      if (shape.join() !== mapping.shape.join()) {
        throw new TilthError(`${folder}: ${mapping.name} has shape [${shape}] instead of [${mapping.shape}]`);
      }
      model.arena.backend.write(mappedTensor(head.arena, mapping), data);
    }
  } finally {
    weights.close();
  }
  return { head, classes };
}
