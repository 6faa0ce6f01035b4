/** Corpora that a model was trained on before: what they hold is not to be learned again. */
import { contentFingerprint, minHashSignature, type SignatureStore } from "./dedup/index.ts";
import { type DigestColumns, packDigests } from "./digests.ts";
import type { CorpusSettings } from "./settings.ts";
import { type DocumentStore, openDocumentStore, type StreamedDocument } from "./store/index.ts";

const batchDocuments = 256;

/** The kept documents of the corpora in some folders, in order. */
export class TrainedCorpora {
  private constructor(private readonly stores: readonly DocumentStore[]) {}

  /** Opens them. Throws TilthError where one is missing or damaged. */
  static async open(folders: readonly string[]): Promise<TrainedCorpora> {
    const stores: DocumentStore[] = [];
    for (const folder of folders) stores.push(await openDocumentStore(folder));
    return new TrainedCorpora(stores);
  }

  /** Equal keys mean equal corpora. */
  get keys(): string[] {
    return this.stores.map(({ manifest }) => manifest.key);
  }

  get documents(): number {
    return this.stores.reduce((sum, { manifest }) => sum + manifest.counts.kept, 0);
  }

  /** Adds their documents to the digests and signatures; they must come first. */
  async addTo(digests: DigestColumns, signatures: SignatureStore, settings: CorpusSettings): Promise<void> {
    let batch: StreamedDocument[] = [];
    const flush = () => {
      const packed = packDigests(
        batch.map(({ id, text, bytes }) => ({
          id,
          bytes,
          rejections: [],
          fingerprint: contentFingerprint(text),
          signature: minHashSignature(text, settings.deduplication),
        })),
      );
      digests.append(packed);
      signatures.append(packed.signed, packed.signatures);
      batch = [];
    };
    for await (const document of this.stream()) {
      if (batch.push(document) === batchDocuments) flush();
    }
    flush();
  }

  /** Their kept documents, in the order in which `addTo` numbered them. */
  async *stream(): AsyncGenerator<StreamedDocument> {
    for (const store of this.stores) yield* store.documents({ kept: true });
  }

  close(): void {
    for (const store of this.stores) store.close();
  }
}
