/** What the builder keeps in memory of every document while it looks at all of them: columns of numbers, no text. */
import { TilthError } from "../foundation/index.ts";
import type { PartialRow } from "./process.ts";

/** The digests of one partition, as they travel from a worker. */
export interface PackedDigests {
  readonly documents: number;
  /** 64 bits of id each. */
  readonly ids: BigUint64Array;
  readonly bytes: Uint32Array;
  readonly rejections: Uint16Array;
  /** 128 bits of fingerprint each; 0 for a document without text. */
  readonly fingerprints: BigUint64Array;
  readonly signed: Uint8Array;
  /** One after the other, of the documents that have one. */
  readonly signatures: Uint32Array;
}

/** The digests of rows. */
export function packDigests(
  rows: readonly Pick<PartialRow, "id" | "bytes" | "rejections" | "fingerprint" | "signature">[],
): PackedDigests {
  const documents = rows.length;
  const fingerprints = new BigUint64Array(documents * 2);
  rows.forEach(({ fingerprint }, index) => {
    if (fingerprint === undefined) return;
    fingerprints[index * 2] = BigInt(`0x${fingerprint.slice(0, 16)}`);
    fingerprints[index * 2 + 1] = BigInt(`0x${fingerprint.slice(16)}`);
  });
  const signed = rows.flatMap(({ signature }) => (signature === undefined ? [] : [signature]));
  const length = signed[0]?.length ?? 0;
  const signatures = new Uint32Array(signed.length * length);
  signed.forEach((signature, index) => {
    signatures.set(signature, index * length);
  });
  return {
    documents,
    ids: BigUint64Array.from(rows, ({ id }) => BigInt(`0x${id}`)),
    bytes: Uint32Array.from(rows, ({ bytes }) => bytes),
    rejections: Uint16Array.from(rows, ({ rejections }) => rejections.length),
    fingerprints,
    signed: Uint8Array.from(rows, ({ signature }) => (signature === undefined ? 0 : 1)),
    signatures,
  };
}

/** The digests of all documents. Memory: 38 bytes a document. */
export class DigestColumns {
  documents = 0;
  readonly ids: BigUint64Array;
  readonly bytes: Uint32Array;
  readonly rejections: Uint16Array;
  readonly fingerprints: BigUint64Array;

  constructor(readonly capacity: number) {
    this.ids = new BigUint64Array(capacity);
    this.bytes = new Uint32Array(capacity);
    this.rejections = new Uint16Array(capacity);
    this.fingerprints = new BigUint64Array(capacity * 2);
  }

  append(part: PackedDigests): void {
    const at = this.documents;
    if (at + part.documents > this.capacity) {
      throw new TilthError(`there are more documents than the ${this.capacity} that were listed`);
    }
    this.ids.set(part.ids, at);
    this.bytes.set(part.bytes, at);
    this.rejections.set(part.rejections, at);
    this.fingerprints.set(part.fingerprints, at * 2);
    this.documents += part.documents;
  }

  /** The document's id as the store writes it. */
  idOf(document: number): string {
    return this.ids[document].toString(16).padStart(16, "0");
  }
}
