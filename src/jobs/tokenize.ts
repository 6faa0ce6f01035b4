/** A tokenizer trained on the store's training documents, and both splits as token shards. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type DocumentStore, type MixtureSettings, openDocumentStore } from "../corpus/index.ts";
import {
  canonicalJson,
  hashOf,
  type Progress,
  publishFolder,
  TilthError,
  writeFileAtomically,
} from "../foundation/index.ts";
import { writeRecord } from "../lineage/index.ts";
import {
  extendTokenizer,
  readTokenizerJson,
  type Tokenizer,
  type TokenizerSettings,
  trainTokenizer,
} from "../tokenizer/index.ts";
import type { Job } from "./job.ts";
import { shardsActivity } from "./record-lineage.ts";
import { writeMixture, writeSplit } from "./shards.ts";

export interface TokenizeInput {
  readonly store: string;
  /** Identifies the store's content: shards of another content are made anew. */
  readonly storeKey: string;
  /** Where `tokenizer.json`, `train.{bin,idx}`, `validation.{bin,idx}`, `shards.json` and a mixture's `mixture.json` go. */
  readonly folder: string;
  readonly training: TokenizerSettings;
  /** Beside the token that ends a document: what the objective needs. */
  readonly specialTokens: readonly string[];
  /** A `tokenizer.json` to use; one is trained if it is left out. */
  readonly tokenizer?: string;
  /** Tokens that it learns from the store's training documents beside its own. */
  readonly extendTokenizer?: number;
  /** How the training shard is mixed; every document once if it is left out. */
  readonly mixture?: MixtureSettings;
}

/** Exact counts of the shards. Bytes are UTF-8 bytes of the documents, copies counted. */
export interface TokenizeOutput {
  readonly vocabularySize: number;
  readonly tokens: number;
  readonly validationTokens: number;
  readonly bytesPerToken: number;
}

const manifestSchema = z.strictObject({
  key: z.string(),
  /** Of the tokenizer alone: another mixture does not train another one. */
  tokenizerKey: z.string().optional(),
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
    const tokenizerKey = tokenizerKeyOf(input);
    const mixed = input.mixture === undefined ? [] : [canonicalJson(input.mixture)];
    const key = hashOf("shards 1", tokenizerKey, ...mixed);
    const existing = readManifest(input.folder);
    if (existing?.key === key) return existing;
    const store = await openDocumentStore(input.store);
    try {
      let manifest: z.infer<typeof manifestSchema> | undefined;
      await publishFolder(input.folder, async (folder) => {
        const tokenizer = await tokenizerFor(store, input, emit);
        writeFileAtomically(join(folder, "tokenizer.json"), tokenizer.toJson());
        if (input.tokenizer !== undefined) {
          // Which of a model's special tokens ends a document does not stand in tokenizer.json.
          const [eos_token] = [...tokenizer.specialTokens].find(([, id]) => id === tokenizer.endOfText) ?? [];
          writeFileAtomically(join(folder, "tokenizer_config.json"), `${JSON.stringify({ eos_token })}\n`);
        }
        const train =
          input.mixture === undefined
            ? await writeSplit(store, "train", folder, tokenizer, emit)
            : await writeMixture(store, input.mixture, folder, tokenizer, emit);
        const validation = await writeSplit(store, "validation", folder, tokenizer, emit);
        if (train.tokens === 0) {
          throw new TilthError("no document was kept for training", { remedy: "Look at: tilth data report" });
        }
        manifest = {
          key,
          tokenizerKey,
          vocabularySize: tokenizer.vocabularySize,
          tokens: train.tokens,
          validationTokens: validation.tokens,
          bytesPerToken: train.bytes / train.tokens,
        };
        writeFileAtomically(join(folder, "shards.json"), `${JSON.stringify(manifest, null, 2)}\n`);
        const { tokens, validationTokens, vocabularySize } = manifest;
        const details = { key, tokens, validationTokens, vocabularySize, mixture: input.mixture ?? null };
        await writeRecord(folder, shardsActivity(input.store, input.tokenizer, details), input.folder);
      });
      return manifest!;
    } finally {
      store.close();
    }
  },
};

/** The tokenizer that is given, or lies in the folder from the same texts and settings, or is trained now. */
export async function tokenizerFor(
  store: DocumentStore,
  input: TokenizeInput,
  emit: (progress: Progress) => void,
): Promise<Tokenizer> {
  const { tokenizer, extendTokenizer: added } = input;
  if (tokenizer !== undefined && added === undefined) return readTokenizerJson(tokenizer);
  if (readManifest(input.folder)?.tokenizerKey === tokenizerKeyOf(input)) {
    return readTokenizerJson(join(input.folder, "tokenizer.json"));
  }
  if (tokenizer !== undefined && added !== undefined) {
    return extendTokenizer(readTokenizerJson(tokenizer), textsOf(store.documents({ split: "train" })), {
      tokens: added,
      onProgress: emit,
    });
  }
  return trainTokenizer(textsOf(store.documents({ split: "train" })), input.training, {
    specialTokens: input.specialTokens,
    onProgress: emit,
  });
}

function tokenizerKeyOf(input: TokenizeInput): string {
  const { storeKey, training, specialTokens, tokenizer, extendTokenizer: added } = input;
  const kind =
    tokenizer === undefined
      ? [canonicalJson(training), ...specialTokens]
      : [readTokenizerJson(tokenizer).toJson(), ...(added === undefined ? [] : [`extended by ${added}`])];
  return hashOf("tokenizer 1", storeKey, ...kind);
}

async function* textsOf(documents: AsyncIterable<{ readonly text: string }>): AsyncGenerator<string> {
  for await (const { text } of documents) yield text;
}

/** The manifest of finished shards. Throws TilthError where there are none. */
export function readShards(folder: string): z.infer<typeof manifestSchema> {
  const manifest = readManifest(folder);
  if (manifest !== undefined) return manifest;
  throw new TilthError(`${folder} holds no finished token shards`, { remedy: "Run the data step first." });
}

function readManifest(folder: string): z.infer<typeof manifestSchema> | undefined {
  const file = join(folder, "shards.json");
  if (!existsSync(file)) return undefined;
  const parsed = manifestSchema.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!parsed.success || !existsSync(join(folder, "tokenizer.json"))) return undefined;
  readTokenizerJson(join(folder, "tokenizer.json"));
  return parsed.data;
}
