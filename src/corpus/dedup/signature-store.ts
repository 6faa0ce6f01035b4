/** MinHash signatures of a whole corpus, on disk: memory holds none of them. */
import { closeSync, mkdirSync, openSync, readSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { TilthError, writeFully } from "../../foundation/index.ts";

const bytesPerValue = 4;
/** So many bytes are read at a time when all signatures are walked. */
const blockBytes = 1 << 20;

/** Signatures by document, each of `length` values; documents without one have none. */
export class SignatureStore {
  private readonly descriptor: number;
  private readonly places: number[] = [];
  private count = 0;
  private readonly one: Uint32Array;

  /** Creates `file`, which `close` removes. */
  constructor(
    private readonly file: string,
    readonly length: number,
  ) {
    mkdirSync(dirname(file), { recursive: true });
    this.descriptor = openSync(file, "wx+");
    this.one = new Uint32Array(length);
  }

  /** Documents so far, with or without a signature. */
  get documents(): number {
    return this.places.length;
  }

  /**
   * Adds documents: `present[i]` says whether document i has a signature; `signatures` holds those there are.
   * Throws TilthError where the length is not this store's.
   */
  append(present: Uint8Array, signatures: Uint32Array): void {
    let added = 0;
    for (const has of present) this.places.push(has === 0 ? -1 : this.count + added++);
    if (signatures.length !== added * this.length) {
      throw new TilthError(
        `${added} signatures have ${signatures.length} values; ${this.length} (bands × rows) each were expected`,
        { remedy: "Compute all signatures with the settings that cluster them." },
      );
    }
    writeFully(this.descriptor, new Uint8Array(signatures.buffer, signatures.byteOffset, signatures.byteLength));
    this.count += added;
  }

  has(document: number): boolean {
    return this.places[document] !== -1;
  }

  /** The signature of a document that has one; lasts until the next call. */
  read(document: number): Uint32Array {
    this.readInto(this.one, this.places[document]);
    return this.one;
  }

  /** Visits all signatures in the documents' order; a signature lasts until the next one. */
  forEach(visit: (document: number, signature: Uint32Array) => void): void {
    const perBlock = Math.max(1, Math.floor(blockBytes / (this.length * bytesPerValue)));
    const block = new Uint32Array(perBlock * this.length);
    let document = 0;
    for (let start = 0; start < this.count; start += perBlock) {
      const signatures = Math.min(perBlock, this.count - start);
      this.readInto(block.subarray(0, signatures * this.length), start);
      for (let index = 0; index < signatures; index++) {
        while (this.places[document] === -1) document++;
        visit(document++, block.subarray(index * this.length, (index + 1) * this.length));
      }
    }
  }

  close(): void {
    closeSync(this.descriptor);
    rmSync(this.file, { force: true });
  }

  private readInto(target: Uint32Array, place: number): void {
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    const position = place * this.length * bytesPerValue;
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.descriptor, bytes, done, bytes.length - done, position + done);
      if (read === 0) throw new TilthError(`${this.file} is shorter than what was written to it`);
      done += read;
    }
  }
}
