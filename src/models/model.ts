/** What the trainer, the checkpoint and generation need of an architecture. One file an architecture fills it in. */
import type { z } from "zod";
import {
  type Engine,
  gatherRows,
  type Parameter,
  type ParameterArena,
  type ParameterSpecification,
  type Tensor,
  type Variable,
} from "../engine/index.ts";
import type { CachedSpan, CacheOptions, KeyValueCache } from "./key-value-cache.ts";
import type { ContextChange } from "./rope-scaling.ts";

/** Token sequences of equal length, packed one after the other, with their document mask. */
export interface TokenBatch {
  readonly sequences: number;
  /** Tokens of one sequence. */
  readonly length: number;
  /** [sequences · length] */
  readonly tokens: Int32Array;
  /** Document mask: position, within the sequence, of the first token that each token may see. Absent: from the first. */
  readonly visibleFrom?: Int32Array;
  /** One past the last position that each token may see; needs `visibleFrom`. Absent: itself (decoders), the end (encoders). */
  readonly visibleTo?: Int32Array;
  /** Rows [0, sequences · length) that hidden states are wanted of. Absent: all. */
  readonly rows?: Int32Array;
  /** Segment of each token, for models that have token types. Absent: 0. */
  readonly types?: Int32Array;
  /** BERT's next-sentence labels: 0 where the second segment follows the first. */
  readonly sentenceLabels?: Int32Array;
  /** Decides what dropout drops, an integer in [0, 2³²). Absent: nothing is dropped. */
  readonly dropoutKey?: number;
}

/** What a forward pass yields: the last hidden states and the matrix that turns them into logits. */
export interface HiddenStates {
  /** [tokens, width], after the last norm. */
  readonly hidden: Variable;
  /** [vocabulary, width] */
  readonly head: Parameter;
  /** [vocabulary] */
  readonly headBias?: Parameter;
  /** Pooled first tokens [sequences, width] and their head of two classes, where the model has one and labels are given. */
  readonly nextSentence?: { readonly hidden: Variable; readonly weight: Parameter; readonly bias: Parameter };
}

/** What a model reads: text from left to right, or both ways. */
export type ModelFamily = "decoder" | "encoder";

/** A model with its parameters on a backend. */
export interface LanguageModel<Configuration = unknown> {
  readonly architecture: Architecture<Configuration>;
  readonly configuration: Configuration;
  readonly arena: ParameterArena;
  forward(engine: Engine, batch: TokenBatch): HiddenStates;
  /** Representations of all tokens, [sequences · length, width]: the last hidden states, before any head. */
  encode(engine: Engine, batch: TokenBatch): Variable;
  /** The layers between hidden states and output matrix, where a model shares them with its classification heads (ModernBERT). */
  transform?(engine: Engine, x: Variable): Variable;
  /** Room for `sequences` (1 if left out) sequences of up to `capacity` tokens, at most the model's context. */
  createCache(engine: Engine, capacity: number, sequences?: number, options?: CacheOptions): KeyValueCache;
  /** As `forward` for tokens that follow those in the cache, span after span; they are added to it. */
  forwardCached(engine: Engine, spans: readonly CachedSpan[], cache: KeyValueCache): HiddenStates;
  dispose(): void;
}

/** One tensor of a Hugging Face file: rows [rowStart, rowStart + shape[0]) of a parameter. */
export interface WeightMapping {
  readonly name: string;
  readonly shape: readonly number[];
  readonly parameter: string;
  readonly rowStart: number;
  /** The file holds the parameter's transpose: `shape` is that of the file. */
  readonly transposed?: boolean;
}

/** An architecture: configuration, parameters, forward and the names that Hugging Face gives them. */
export interface Architecture<Configuration> {
  /** The registry's name, e.g. `llama`. */
  readonly name: string;
  readonly family: ModelFamily;
  /** Hugging Face's class, e.g. `LlamaForCausalLM`. */
  readonly huggingFaceClass: string;
  /** Of a Tilth configuration. */
  readonly schema: z.ZodType<Configuration>;
  parameters(configuration: Configuration): ParameterSpecification[];
  create(engine: Engine, configuration: Configuration): LanguageModel<Configuration>;
  weights(configuration: Configuration): WeightMapping[];
  toHuggingFace(configuration: Configuration): Record<string, unknown>;
  /** Whether a tensor of that name in a file holds nothing of its own, or of a head that the model does not have. */
  isRedundant?(name: string, configuration: Configuration): boolean;
  /** The name in `weights` of a tensor that some files name otherwise. */
  canonicalName?(name: string): string;
  /** Throws TilthError naming the key that is unknown to Tilth or inconsistent. */
  fromHuggingFace(config: Readonly<Record<string, unknown>>): Configuration;
  /** The configuration for a longer context; absent where positions are learned. Throws UsageError for a change that does not fit. */
  withContext?(configuration: Configuration, change: ContextChange): Configuration;
  /** Longest context, vocabulary and the sizes that FLOP counts need. */
  dimensions(configuration: Configuration): ModelDimensions;
}

/** What checkpoints and exports need of an architecture, whatever it reads. */
export type StoredArchitecture = Pick<
  Architecture<unknown>,
  | "name"
  | "huggingFaceClass"
  | "parameters"
  | "weights"
  | "toHuggingFace"
  | "fromHuggingFace"
  | "isRedundant"
  | "canonicalName"
>;

/** The sizes that planning needs of any decoder. */
export interface ModelDimensions {
  readonly vocabularySize: number;
  readonly width: number;
  readonly layers: number;
  readonly context: number;
  /** Parameters that take part in matrix products for each token: all but an untied input embedding and the norms. */
  readonly matrixParameters: number;
  readonly parameters: number;
}

/** Training FLOPs of one token, forward and backward: 6N + 12 · layers · width · context (PaLM, appendix B). */
export function trainingFlopsPerToken(dimensions: ModelDimensions, sequenceLength: number): number {
  return 6 * dimensions.matrixParameters + 12 * dimensions.layers * dimensions.width * sequenceLength;
}

/** The part of a parameter that a mapping names, as a tensor. */
export function mappedTensor(arena: ParameterArena, mapping: WeightMapping): Tensor {
  const { tensor } = arena.get(mapping.parameter);
  const width = mapping.shape.length > 1 ? mapping.shape[mapping.shape.length - 1] : 1;
  return {
    ...tensor,
    offset: tensor.offset + mapping.rowStart * width,
    shape: mapping.transposed ? [...mapping.shape].reverse() : mapping.shape,
    rowStride: mapping.shape.at(mapping.transposed ? 0 : -1) ?? 1,
  };
}

/** The transpose of a matrix given row by row. */
export function transposed(data: Float32Array, [rowCount, width]: readonly number[]): Float32Array {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rowCount; row++) {
    for (let column = 0; column < width; column++) out[column * rowCount + row] = data[row * width + column];
  }
  return out;
}

/** The given rows of hidden states: [rows, width]. */
export function wantedRows(engine: Engine, x: Variable, rows: Int32Array): Variable {
  return engine.run(gatherRows, { x }, { rows: engine.constant(rows) }).out;
}
