/** Everything that is decided over all documents together: copies, repeats inside them, evaluation texts, the split. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Decisions, type ProcessedPartitions, partialRows } from "./assemble.ts";
import { decontaminate, type LoadedEvaluationSet } from "./decontamination/index.ts";
import { removeRepeats, SignatureStore } from "./dedup/index.ts";
import { DigestColumns } from "./digests.ts";
import type { Split } from "./document.ts";
import { decisionRank, type LicenceVerdict } from "./licences/index.ts";
import type { PartitionResult } from "./partition.ts";
import { type Candidates, type Relations, relate } from "./relations.ts";
import { Revisions, type Texts } from "./revisions.ts";
import type { CorpusSettings } from "./settings.ts";
import { assignSplits } from "./split/index.ts";
import type { TrainedCorpora } from "./trained.ts";

/** The documents of a build as they come in, and the folder for what memory must not hold. */
export class Gathered {
  readonly digests: DigestColumns;
  readonly signatures: SignatureStore;
  readonly keys: string[] = [];

  private constructor(
    documents: number,
    readonly folder: string,
    private readonly settings: CorpusSettings,
    readonly trained: TrainedCorpora,
  ) {
    mkdirSync(folder, { recursive: true });
    this.digests = new DigestColumns(documents + trained.documents);
    const { bands, rows } = settings.deduplication;
    this.signatures = new SignatureStore(join(folder, "signatures"), bands * rows);
  }

  /** Begins with the documents trained on before. `folder` must not exist; `close` removes it. */
  static async begin(
    documents: number,
    folder: string,
    settings: CorpusSettings,
    trained: TrainedCorpora,
  ): Promise<Gathered> {
    const gathered = new Gathered(documents, folder, settings, trained);
    await trained.addTo(gathered.digests, gathered.signatures, settings);
    return gathered;
  }

  /** Takes the next partition's result. */
  take({ key, digests }: PartitionResult): void {
    this.keys.push(key);
    this.digests.append(digests);
    this.signatures.append(digests.signed, digests.signatures);
  }

  /** Decides about all documents. `verdicts` are those of the build's own. */
  async decide(
    verdicts: readonly LicenceVerdict[],
    partitions: ProcessedPartitions,
    sets: readonly LoadedEvaluationSet[],
  ): Promise<Decisions> {
    const { settings, digests, signatures } = this;
    const trained = this.trained.documents;
    const rights = {
      rank: new Uint8Array(digests.documents),
      accepted: new Uint8Array(digests.documents).fill(1, 0, trained),
    };
    verdicts.forEach(({ decision, optOut }, index) => {
      rights.rank[trained + index] = decisionRank(decision);
      rights.accepted[trained + index] = optOut === undefined && settings.licences.accept.includes(decision) ? 1 : 0;
    });
    const candidates = { digests, rights, signatures, trained };
    const relations = relate(candidates, settings.deduplication);
    const revisions = new Revisions();
    const texts = () => this.texts(relations, revisions, partitions);
    const search = { texts, rank: ranks(candidates), trained, revisions, folder: this.folder };
    await removeRepeats(search, settings.deduplication);
    if (sets.length > 0) await decontaminate(search, sets, settings.decontamination);
    const splits = splitsOf(candidates, relations, revisions, settings);
    return { verdicts, relations, revisions, trained, splitOf: (document) => splits.get(document) ?? null };
  }

  close(): void {
    this.signatures.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async *texts(relations: Relations, revisions: Revisions, partitions: ProcessedPartitions): Texts {
    let document = 0;
    for await (const { text } of this.trained.stream()) yield { document: document++, text };
    for (const { document, row } of partialRows(partitions, this.trained.documents)) {
      if (!relations.kept(document) || revisions.rejectionOf(document) !== undefined) continue;
      yield { document, text: revisions.apply(document, row.text) };
    }
  }
}

/** The place of every document in the order of preference among kept ones: trained before, better rights, first. */
function ranks({ digests, rights, trained }: Candidates): Uint32Array {
  const counts = new Uint32Array(257);
  const classOf = (document: number) => (document < trained ? 0 : rights.rank[document] + 1);
  for (let document = 0; document < digests.documents; document++) counts[classOf(document) + 1]++;
  for (let index = 1; index < counts.length; index++) counts[index] += counts[index - 1];
  return Uint32Array.from({ length: digests.documents }, (_, document) => counts[classOf(document)]++);
}

function splitsOf(
  { digests, trained }: Candidates,
  relations: Relations,
  revisions: Revisions,
  settings: CorpusSettings,
): Map<number, Split> {
  const kept: number[] = [];
  for (let document = trained; document < digests.documents; document++) {
    if (relations.kept(document) && revisions.rejectionOf(document) === undefined) kept.push(document);
  }
  const splits = assignSplits(
    kept.map((document) => ({ cluster: relations.of(document).cluster, bytes: digests.bytes[document] })),
    settings.split,
  );
  return new Map(kept.map((document, index) => [document, splits[index]]));
}
