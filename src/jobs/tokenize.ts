/** A tokenizer trained on the store's training documents, and both splits as token shards. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { openDocumentStore } from "../corpus/index.ts";
import { createMegatronWriter } from "../formats/index.ts";
import {
  canonicalJson,
  hashOf,
  type Progress,
  publishFolder,
  TilthError,
  writeFileAtomically,
} from "../foundation/index.ts";
import { readTokenizerJson, type Tokenizer, type TokenizerSettings, trainTokenizer } from "../tokenizer/index.ts";
import type { Job } from "./job.ts";

export interface TokenizeInput {
  readonly store: string;
  /** Identifies the store's content: shards of another content are made anew. */
  readonly storeKey: string;
  /** Where `tokenizer.json`, `train.{bin,idx}`, `validation.{bin,idx}` and `shards.json` go. */
  readonly folder: string;
  readonly training: TokenizerSettings;
  /** Beside the token that ends a document: what the objective needs. */
  readonly specialTokens: readonly string[];
  /** A `tokenizer.json` to use; one is trained if it is left out. */
  readonly tokenizer?: string;
}

/** Exact counts of the shards. Bytes are UTF-8 bytes of the documents. */
export interface TokenizeOutput {
  readonly vocabularySize: number;
  readonly tokens: number;
  readonly validationTokens: number;
  readonly bytesPerToken: number;
}

const manifestSchema = z.strictObject({
  key: z.string(),
  vocabularySize: z.number(),
  tokens: z.number(),
  validationTokens: z.number(),
  bytesPerToken: z.number(),
  /** Where a split's shard lies if not under its own name: a take-down writes it anew. */
  files: z.strictObject({ train: z.string(), validation: z.string() }).optional(),
});

/** The path of a split's shard without `.bin`/`.idx`, and of its document map without `.documents.txt`. */
export function shardPrefix(folder: string, split: "train" | "validation"): string {
  return join(folder, readManifest(folder)?.files?.[split] ?? split);
}

export const tokenizeJob: Job<TokenizeInput, Progress, TokenizeOutput> = {
  name: "tokenize",
  async run(input, { emit }) {
    const given = input.tokenizer === undefined ? undefined : readTokenizerJson(input.tokenizer);
    const kind = given ? [given.toJson()] : [canonicalJson(input.training), ...input.specialTokens];
    const key = hashOf("tokenize 2", input.storeKey, ...kind);
    const existing = readManifest(input.folder);
    if (existing?.key === key) return existing;
    const store = await openDocumentStore(input.store);
    try {
      let manifest: z.infer<typeof manifestSchema> | undefined;
      await publishFolder(input.folder, async (folder) => {
        const texts = store.documents({ split: "train" });
        const tokenizer =
          given ??
          (await trainTokenizer(textsOf(texts), input.training, {
            specialTokens: input.specialTokens,
            onProgress: emit,
          }));
        writeFileAtomically(join(folder, "tokenizer.json"), tokenizer.toJson());
        const train = await writeShard(store, "train", folder, tokenizer, emit);
        const validation = await writeShard(store, "validation", folder, tokenizer, emit);
        if (train.tokens === 0) {
          throw new TilthError("no document was kept for training", { remedy: "Look at: tilth data report" });
        }
        manifest = {
          key,
          vocabularySize: tokenizer.vocabularySize,
          tokens: train.tokens,
          validationTokens: validation.tokens,
          bytesPerToken: train.bytes / train.tokens,
        };
        writeFileAtomically(join(folder, "shards.json"), `${JSON.stringify(manifest, null, 2)}\n`);
      });
      return manifest!;
    } finally {
      store.close();
    }
  },
};

async function* textsOf(documents: AsyncIterable<{ readonly text: string }>): AsyncGenerator<string> {
  for await (const { text } of documents) yield text;
}

/** Writes a split with its document map: line n of `<split>.documents.txt` is the id of document n of the shard. */
async function writeShard(
  store: Awaited<ReturnType<typeof openDocumentStore>>,
  split: "train" | "validation",
  folder: string,
  tokenizer: Tokenizer,
  emit: (progress: Progress) => void,
): Promise<{ tokens: number; bytes: number }> {
  const writer = createMegatronWriter(join(folder, split), tokenizer.vocabularySize);
  const ids: string[] = [];
  let [tokens, bytes] = [0, 0];
  try {
    for await (const document of store.documents({ split })) {
      const encoded = tokenizer.encode(document.text);
      const sequence = new Int32Array(encoded.length + 1).fill(tokenizer.endOfText);
      sequence.set(encoded);
      writer.add(sequence);
      ids.push(document.id);
      tokens += sequence.length;
      bytes += document.bytes;
      if (ids.length % 100 === 0) emit({ stage: `encoding ${split}`, done: tokens, unit: "tokens" });
    }
    writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
  writeFileAtomically(join(folder, `${split}.documents.txt`), ids.map((id) => `${id}\n`).join(""));
  return { tokens, bytes };
}

function readManifest(folder: string): z.infer<typeof manifestSchema> | undefined {
  const file = join(folder, "shards.json");
  if (!existsSync(file)) return undefined;
  const parsed = manifestSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success || !existsSync(join(folder, "tokenizer.json"))) return undefined;
  readTokenizerJson(join(folder, "tokenizer.json"));
  return parsed.data;
}
