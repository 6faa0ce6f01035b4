/** A byte-level BPE that learns further tokens: the base's ids and merges stay, new ones come after them. */
import { UsageError, type WorkOptions } from "../foundation/index.ts";
import { BytePairTokenizer } from "./byte-pair.ts";
import { countPieces } from "./count-pieces.ts";
import { mergePairs } from "./merge-pairs.ts";
import { prepareTokenizerKernels } from "./native.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface ExtensionOptions extends WorkOptions {
  /** Tokens wanted beyond the base's. Fewer come out where the text has no more pairs. */
  readonly tokens: number;
  /** A pair must occur this often to merge. Default 2. */
  readonly minimumFrequency?: number;
  readonly threads?: number;
}

const maximumDistinctPieces = 2_000_000;

/**
 * Learns tokens from texts on top of a tokenizer. New merges rank below the base's, so that a text is first cut as the base cuts it
 * and then put together further: every encoding by the base remains valid. Throws UsageError for a tokenizer of another kind.
 */
export async function extendTokenizer(
  base: Tokenizer,
  texts: Iterable<string> | AsyncIterable<string>,
  options: ExtensionOptions,
): Promise<BytePairTokenizer> {
  if (!(base instanceof BytePairTokenizer)) {
    throw new UsageError("only byte-level BPE can be extended: this tokenizer is of another kind", {
      remedy: "Keep it as it is: leave out continuation.extendTokenizer.",
    });
  }
  await prepareTokenizerKernels();
  const { definition, vocabularySize: baseSize, specialTokens } = base;
  const { minimumFrequency = 2, tokens: wanted } = options;
  const normal = definition.normalizer === "NFC" ? normalised(texts) : texts;
  const pieces = await countPieces(normal, { ...options, pattern: definition.pattern, maximumDistinctPieces });
  // No merge may yield a special token: here they have no bytes.
  const special = new Set(specialTokens.values());
  const tokens = definition.tokens.map((bytes, id) => (special.has(id) ? new Uint8Array(0) : bytes));
  const merges = mergePairs(encodedPieces(base, pieces), tokens, {
    ...options,
    vocabularySize: baseSize + wanted,
    minimumFrequency,
    prefixBytes: 0,
  });
  const lowest = definition.merges.reduce((most, { rank }, index) => Math.max(most, rank ?? index), -1);
  const known = new Set(definition.merges.map(({ left, right }) => left * (baseSize + wanted) + right));
  return new BytePairTokenizer({
    ...definition,
    tokens: [...definition.tokens, ...tokens.slice(baseSize)],
    merges: [
      ...definition.merges,
      ...merges
        .filter(({ left, right }) => !known.has(left * (baseSize + wanted) + right))
        .map((merge, index) => ({ ...merge, rank: lowest + 1 + index })),
    ],
  });
}

async function* normalised(texts: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string> {
  for await (const text of texts) yield text.normalize("NFC");
}

/** The distinct pieces as the base cuts them. */
function encodedPieces(base: BytePairTokenizer, { bytes, offsets, counts }: Awaited<ReturnType<typeof countPieces>>) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const starts = new BigInt64Array(counts.length + 1);
  const symbols: Int32Array[] = [];
  for (let first = 0; first < counts.length; first += batchPieces) {
    const last = Math.min(first + batchPieces, counts.length);
    const texts = Array.from({ length: last - first }, (_, i) =>
      decoder.decode(bytes.subarray(Number(offsets[first + i]), Number(offsets[first + i + 1]))),
    );
    for (const [i, ids] of base.encodeBatch(texts).entries()) {
      symbols.push(ids);
      starts[first + i + 1] = starts[first + i] + BigInt(ids.length);
    }
  }
  const all = new Int32Array(Number(starts[counts.length]));
  for (const [i, ids] of symbols.entries()) all.set(ids, Number(starts[i]));
  return { symbols: all, starts, counts };
}

const batchPieces = 1 << 16;

/**
 * For every id of an extended tokenizer from `baseSize` on, the base's tokens that it is made of. Throws UsageError where the
 * tokenizer does not begin as the base does.
 */
export function basePieces(extended: Tokenizer, base: Tokenizer): ReadonlyMap<number, readonly number[]> {
  if (extended.vocabularySize === base.vocabularySize) return new Map();
  if (!(extended instanceof BytePairTokenizer && base instanceof BytePairTokenizer)) throw otherTokenizer();
  const [before, after] = [base.definition.tokens, extended.definition.tokens];
  if (after.length < before.length || before.some((bytes, id) => Buffer.compare(bytes, after[id]) !== 0)) {
    throw otherTokenizer();
  }
  const parts = new Map(
    extended.definition.merges.map(({ left, right, merged }) => [merged, [left, right]] as const).reverse(),
  );
  const pieces = new Map<number, readonly number[]>();
  const piecesOf = (id: number): readonly number[] => {
    if (id < before.length) return [id];
    const pair = parts.get(id);
    if (pair === undefined) throw otherTokenizer();
    return pieces.get(id) ?? pair.flatMap(piecesOf);
  };
  for (let id = before.length; id < after.length; id++) pieces.set(id, piecesOf(id));
  return pieces;
}

function otherTokenizer(): UsageError {
  return new UsageError("the shards' tokenizer is not the one of the model that is continued, nor grown from it", {
    remedy:
      "Its tokens must keep the base's ids: extend it with tilth tokenizer extend or continuation.extendTokenizer.",
  });
}
