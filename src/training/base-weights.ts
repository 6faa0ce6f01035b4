/** The weights that a continued run starts from, with rows for tokens that its tokenizer has learned since. */
import { mappedTensor, transposed } from "../models/index.ts";
import { loadWeights, openModelWeights, readModelConfiguration } from "./huggingface-folder.ts";
import type { StoredModel } from "./trainable.ts";

/**
 * Copies a folder's weights into a model that may have more rows of embedding and head. The rows of new tokens are the means of those
 * of the tokens that they are made of, in the embedding and in an untied head alike.
 * @param pieces the base's tokens of every new id
 */
export function loadBaseWeights(
  folder: string,
  model: StoredModel,
  pieces: ReadonlyMap<number, readonly number[]>,
): void {
  if (pieces.size === 0) {
    loadWeights(folder, model);
    return;
  }
  const { architecture, configuration } = readModelConfiguration(folder);
  const weights = openModelWeights(folder, architecture, configuration);
  try {
    const before = architecture.weights(configuration);
    for (const [index, mapping] of model.architecture.weights(model.configuration).entries()) {
      const { data } = weights.floats(mapping.name);
      const ours = mapping.transposed ? transposed(data, mapping.shape) : data;
      const isTable = vocabularyTables.has(mapping.parameter);
      model.arena.backend.write(
        mappedTensor(model.arena, mapping),
        isTable ? withNewRows(ours, mapping.shape[0], before[index].shape[0], pieces) : ours,
      );
    }
  } finally {
    weights.close();
  }
}

/** Embedding and head have a row for every token; where the base had rows that no token used, they do not grow. */
const vocabularyTables = new Set(["embedding", "head", "headBias"]);

/** The base's rows, and those of new tokens. */
function withNewRows(
  data: Float32Array,
  rows: number,
  before: number,
  pieces: ReadonlyMap<number, readonly number[]>,
): Float32Array {
  const width = data.length / before;
  const out = new Float32Array(rows * width);
  out.set(data);
  const row = (id: number) => data.subarray(id * width, (id + 1) * width);
  for (const [id, parts] of pieces) writeMean(out.subarray(id * width, (id + 1) * width), parts.map(row));
  return out;
}

function writeMean(target: Float32Array, rows: readonly Float32Array[]): void {
  for (let column = 0; column < target.length; column++) {
    target[column] = rows.reduce((sum, row) => sum + row[column], 0) / rows.length;
  }
}
