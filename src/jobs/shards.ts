/** Token shards of a store: a split as it is, or the training split mixed. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import {
  type DocumentStore,
  groupExpression,
  type Mixture,
  type MixtureSettings,
  planMixture,
} from "../corpus/index.ts";
import { createMegatronWriter, openMegatronShard } from "../formats/index.ts";
import { type Progress, writeFileAtomically } from "../foundation/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";

/** The plan of a mixed shard, beside it, as it was when the shard was written. */
export const mixtureFile = "mixture.json";

type Emit = (progress: Progress) => void;

/** A document as the shard holds it: its tokens and the end-of-text token. */
interface EncodedDocument {
  readonly id: string;
  readonly group: string;
  readonly bytes: number;
  readonly sequence: Int32Array;
}

async function* encoded(
  store: DocumentStore,
  choice: Parameters<DocumentStore["documents"]>[0],
  tokenizer: Tokenizer,
  emit: Emit,
): AsyncGenerator<EncodedDocument> {
  let [documents, tokens] = [0, 0];
  for await (const { id, text, bytes, group = "" } of store.documents(choice)) {
    const ids = tokenizer.encode(text);
    const sequence = new Int32Array(ids.length + 1).fill(tokenizer.endOfText);
    sequence.set(ids);
    tokens += sequence.length;
    if (++documents % 100 === 0) emit({ stage: `encoding ${choice?.split}`, done: tokens, unit: "tokens" });
    yield { id, group, bytes, sequence };
  }
}

/** Writes a split with its document map: line n of `<name>.documents.txt` is the id of document n of the shard. */
export async function writeSplit(
  store: DocumentStore,
  split: "train" | "validation",
  folder: string,
  tokenizer: Tokenizer,
  emit: Emit,
): Promise<{ tokens: number; bytes: number }> {
  const writer = createMegatronWriter(join(folder, split), tokenizer.vocabularySize);
  const ids: string[] = [];
  let [tokens, bytes] = [0, 0];
  try {
    for await (const document of encoded(store, { split }, tokenizer, emit)) {
      writer.add(document.sequence);
      ids.push(document.id);
      tokens += document.sequence.length;
      bytes += document.bytes;
    }
    writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
  writeDocumentMap(folder, split, ids);
  return { tokens, bytes };
}

/** What a mixture comes to with a tokenizer, before anything is written: exactly what `writeMixture` writes. */
export async function planShards(
  store: DocumentStore,
  mixture: MixtureSettings,
  tokenizer: Tokenizer,
  emit: Emit,
): Promise<Mixture> {
  const documents = [];
  for await (const { id, group, sequence } of encoded(store, mixedChoice(mixture), tokenizer, emit)) {
    documents.push({ id, group, tokens: sequence.length });
  }
  return planMixture(documents, mixture);
}

/**
 * Writes the training shard of a mixture. Documents are encoded once into a shard that is removed again; then pass after
 * pass, every document that is still to be seen is copied from it. The document map names each copy.
 */
export async function writeMixture(
  store: DocumentStore,
  mixture: MixtureSettings,
  folder: string,
  tokenizer: Tokenizer,
  emit: Emit,
): Promise<{ tokens: number; bytes: number }> {
  const once = join(folder, "once");
  const documents: { id: string; group: string; tokens: number; bytes: number }[] = [];
  const first = createMegatronWriter(once, tokenizer.vocabularySize);
  const writer = createMegatronWriter(join(folder, "train"), tokenizer.vocabularySize);
  try {
    for await (const { id, group, bytes, sequence } of encoded(store, mixedChoice(mixture), tokenizer, emit)) {
      first.add(sequence);
      documents.push({ id, group, bytes, tokens: sequence.length });
    }
    first.finish();
    const { counts, ...plan } = planMixture(documents, mixture);
    const shard = openMegatronShard(once);
    const ids: string[] = [];
    let [tokens, bytes] = [0, 0];
    for (let pass = 1; ids.length < plan.copies; pass++) {
      for (const [index, document] of documents.entries()) {
        if (counts[index] < pass) continue;
        writer.add(shard.read(index));
        ids.push(document.id);
        tokens += document.tokens;
        bytes += document.bytes;
        if (ids.length % 1000 === 0)
          emit({ stage: `mixing, pass ${pass}`, done: tokens, total: plan.tokens, unit: "tokens" });
      }
    }
    shard.close();
    writer.finish();
    writeDocumentMap(folder, "train", ids);
    writeFileAtomically(join(folder, mixtureFile), `${JSON.stringify(plan, null, 2)}\n`);
    return { tokens, bytes };
  } catch (error) {
    writer.abort();
    throw error;
  } finally {
    first.abort();
    for (const ending of ["bin", "idx", "checksums.json"]) rmSync(`${once}.${ending}`, { force: true });
  }
}

const mixedChoice = (mixture: MixtureSettings) => ({ split: "train" as const, groupBy: groupExpression(mixture) });

function writeDocumentMap(folder: string, name: string, ids: readonly string[]): void {
  writeFileAtomically(join(folder, `${name}.documents.txt`), ids.map((id) => `${id}\n`).join(""));
}
