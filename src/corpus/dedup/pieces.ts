/** Repeated lines and paragraphs, by hash. Memory does not depend on the corpus: hashes wait on disk in buckets. */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { writeFully } from "../../foundation/index.ts";
import { finaliseHash, textKernels } from "../text/index.ts";
import { type RepeatSearch, removeSpans } from "./repeats.ts";

/** What counts as a piece, and which pieces count. */
export interface PieceSettings {
  readonly unit: "line" | "paragraph";
  readonly minimumTokens: number;
  readonly minimumRemainingBytes: number;
  /** A folder for the buckets; it is removed at the end. */
  readonly spill: string;
}

/** A piece of a text: its place with the line breaks after it, and 64 bits of hash over its tokens. */
interface Piece {
  readonly start: number;
  readonly end: number;
  readonly first: number;
  readonly second: number;
}

/** Of equal pieces the one in the most preferred document stays, and there the first. */
export async function removeRepeatedPieces(search: RepeatSearch, settings: PieceSettings): Promise<void> {
  const buckets = new Buckets(settings.spill);
  try {
    for await (const { document, text } of search.texts()) {
      piecesOf(text, settings).forEach(({ first, second }, ordinal) => {
        buckets.add(first, second, search.rank[document], ordinal);
      });
    }
    // A document's repeated pieces, by their ordinals.
    const repeated = new Map<number, Set<number>>();
    buckets.forEachRepeat((rank, ordinal) => {
      const known = repeated.get(rank);
      if (known === undefined) repeated.set(rank, new Set([ordinal]));
      else known.add(ordinal);
    });
    for await (const { document, text } of search.texts()) {
      const ordinals = repeated.get(search.rank[document]);
      if (ordinals === undefined || document < search.trained) continue;
      const spans = piecesOf(text, settings)
        .filter((_, ordinal) => ordinals.has(ordinal))
        .map(({ start, end }) => [start, end] as const);
      const stage = `duplicate-${settings.unit}s`;
      removeSpans(search, document, text, { stage, spans }, settings.minimumRemainingBytes);
    }
  } finally {
    buckets.close();
  }
}

/** The pieces of a text with enough tokens. */
export function piecesOf(
  text: string,
  { unit, minimumTokens }: Pick<PieceSettings, "unit" | "minimumTokens">,
): Piece[] {
  const tokens = textKernels().words(text, "tokens");
  const pieces: Piece[] = [];
  const separator = unit === "line" ? "\n" : "\n\n";
  let token = 0;
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf(separator, start);
    let end = found < 0 ? text.length : found + separator.length;
    while (text[end] === "\n") end++;
    const firstToken = token;
    let a = 0x3c6ef372;
    let b = 0x1b873593;
    for (; token < tokens.count && tokens.starts[token] < end; token++) {
      a = Math.imul(a ^ tokens.first[token], 0x85ebca6b);
      a ^= a >>> 15;
      b = Math.imul(b + tokens.second[token], 0x27d4eb2f);
      b ^= b >>> 13;
    }
    if (token - firstToken >= minimumTokens) {
      pieces.push({ start, end, first: finaliseHash(a), second: finaliseHash(b) });
    }
    start = end;
  }
  return pieces;
}

const bucketCount = 256;
/** Values of a record: two hashes, the document's rank, the piece's ordinal. */
const recordValues = 4;
const bufferedRecords = 2048;

/** Records in files by the first byte of their hash, so that equal ones meet. */
class Buckets {
  private readonly descriptors: number[];
  private readonly buffers: Uint32Array[];
  private readonly counts = new Uint32Array(bucketCount);

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    this.descriptors = Array.from({ length: bucketCount }, (_, bucket) => openSync(this.file(bucket), "w"));
    this.buffers = Array.from({ length: bucketCount }, () => new Uint32Array(bufferedRecords * recordValues));
  }

  add(first: number, second: number, rank: number, ordinal: number): void {
    const bucket = first >>> 24;
    this.buffers[bucket].set([first, second, rank, ordinal], this.counts[bucket]++ * recordValues);
    if (this.counts[bucket] === bufferedRecords) this.flush(bucket);
  }

  /** Calls `visit` for every record that equals one with a lower rank, or the same and a lower ordinal. */
  forEachRepeat(visit: (rank: number, ordinal: number) => void): void {
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      this.flush(bucket);
      const content = readFileSync(this.file(bucket));
      const records = new Uint32Array(content.buffer, content.byteOffset, content.length / 4);
      const count = records.length / recordValues;
      let slots = 2;
      while (slots < count * 2) slots *= 2;
      const table = new Int32Array(slots).fill(-1);
      const keepers = new Int32Array(count);
      for (let record = 0; record < count; record++) {
        const slot = slotOf(records, table, record);
        const known = table[slot];
        if (known === -1 || before(records, record, known)) table[slot] = record;
        keepers[record] = slot;
      }
      for (let record = 0; record < count; record++) {
        if (table[keepers[record]] === record) continue;
        visit(records[record * recordValues + 2], records[record * recordValues + 3]);
      }
      unlinkSync(this.file(bucket));
    }
  }

  close(): void {
    for (const descriptor of this.descriptors) closeSync(descriptor);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private file(bucket: number): string {
    return join(this.folder, `${bucket.toString(16).padStart(2, "0")}.pieces`);
  }

  private flush(bucket: number): void {
    const used = this.buffers[bucket].subarray(0, this.counts[bucket] * recordValues);
    writeFully(this.descriptors[bucket], new Uint8Array(used.buffer, 0, used.byteLength));
    this.counts[bucket] = 0;
  }
}

/** The slot of the record's hash, or the free one where it would be. */
function slotOf(records: Uint32Array, table: Int32Array, record: number): number {
  const [first, second] = [records[record * recordValues], records[record * recordValues + 1]];
  const mask = table.length - 1;
  for (let slot = (second & mask) >>> 0; ; slot = (slot + 1) & mask) {
    const other = table[slot];
    if (other === -1) return slot;
    if (records[other * recordValues] === first && records[other * recordValues + 1] === second) return slot;
  }
}

function before(records: Uint32Array, a: number, b: number): boolean {
  const difference = records[a * recordValues + 2] - records[b * recordValues + 2];
  return difference < 0 || (difference === 0 && records[a * recordValues + 3] < records[b * recordValues + 3]);
}
