/** What a checkpoint, or one file of weights, holds: read from its headers alone, without loading a tensor. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { type GgufValue, readGguf, readSafetensors, readSafetensorsFolder } from "../formats/index.ts";
import { folderBytes, messageOf, TilthError } from "../foundation/index.ts";
import { vocabularySizeOf } from "../models/index.ts";
import { BytePairTokenizer, readTokenizerJson, WordPieceTokenizer } from "../tokenizer/index.ts";
import { openModelWeights, readHuggingFaceConfiguration, readStoredConfiguration } from "../training/index.ts";
import { readTokenizerSettings } from "./checkpoint.ts";

/** What there is to say of a model on disk. Absent where the file or folder does not say it. */
export interface ModelFileDescription {
  readonly path: string;
  readonly format: "huggingface" | "safetensors" | "gguf";
  /** As the file names it, e.g. `LlamaForCausalLM`, or `llama` in GGUF. */
  readonly architecture?: string;
  /** Tilth's own name of it; null where Tilth cannot compute with this model, for the reason in `problems`. */
  readonly readAs?: string | null;
  /** Sizes under Tilth's names, or under the file's own where Tilth does not read it. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  readonly parameters: number;
  readonly tensors: number;
  /** Parameters by element type. */
  readonly types: Readonly<Record<string, number>>;
  /** Weights in memory: as they are stored, and in f32; and with AdamW's state and gradients to train them. */
  readonly memoryBytes: { readonly asStored: number; readonly f32: number; readonly training: number };
  readonly tokenizer?: TokenizerDescription;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** What does not fit together, or what Tilth cannot read: one sentence each. */
  readonly problems: readonly string[];
}

export interface TokenizerDescription {
  readonly kind: string;
  readonly vocabularySize: number;
  readonly merges?: number;
  readonly specialTokens: readonly string[];
  readonly chatTemplate: boolean;
}

/** Describes a Hugging Face folder, a .safetensors file or a .gguf file. Throws TilthError for anything else. */
export function describeModelFile(path: string): ModelFileDescription {
  if (!existsSync(path)) {
    throw new TilthError(`there is nothing at ${path}`, { remedy: "Give a checkpoint's folder or a file of weights." });
  }
  if (statSync(path).isDirectory()) return describeFolder(path);
  if (path.endsWith(".gguf")) return describeGguf(path);
  if (path.endsWith(".safetensors")) return describeSafetensors(path);
  throw new TilthError(`${path} is neither a folder nor a .safetensors or .gguf file`, {
    remedy: "Give a checkpoint's folder or a file of weights. For tokenizers: tilth tokenizer inspect",
  });
}

/** Runs `work`; a TilthError becomes one of `problems`. */
function attempt<Result>(problems: string[], work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TilthError)) throw error;
    problems.push(messageOf(error));
    return undefined;
  }
}

function describeFolder(folder: string): ModelFileDescription {
  const problems: string[] = [];
  const model = attempt(problems, () => readStoredConfiguration(folder));
  // Only folders of open_clip are models without it.
  const hasOwn = model === undefined || existsSync(join(folder, "config.json"));
  const config = hasOwn ? readHuggingFaceConfiguration(folder) : {};
  const stated = Array.isArray(config.architectures) ? config.architectures[0] : config.model_type;
  const declared = stated ?? model?.architecture.huggingFaceClass;
  const weights = attempt(problems, () => readSafetensorsFolder(folder));
  const tensors = weights ? weights.names.map((name) => weights.record(name)) : [];
  weights?.close();
  if (model && weights) {
    attempt(problems, () => openModelWeights(folder, model.architecture, model.configuration))?.close();
  }
  const tokenizer = attempt(problems, () => describeTokenizer(folder));
  const rows = model && vocabularySizeOf(model.configuration);
  if (rows !== undefined && tokenizer !== undefined && tokenizer.vocabularySize > rows) {
    problems.push(`tokenizer.json has ${tokenizer.vocabularySize} tokens, the model's embedding ${rows}`);
  }
  return {
    path: folder,
    format: "huggingface",
    architecture: declared === undefined ? undefined : String(declared),
    readAs: model?.architecture.name ?? null,
    configuration: (model?.configuration as Record<string, unknown> | undefined) ?? config,
    ...counted(tensors.map(({ shape, type, begin, end }) => ({ shape, type, bytes: end - begin }))),
    tokenizer,
    metadata: {},
    files: filesOf(folder),
    problems,
  };
}

function describeTokenizer(folder: string): TokenizerDescription {
  const tokenizer = readTokenizerJson(join(folder, "tokenizer.json"));
  const bytePair = tokenizer instanceof BytePairTokenizer ? tokenizer.definition : undefined;
  const other = tokenizer instanceof WordPieceTokenizer ? "WordPiece" : "read by Hugging Face's library";
  return {
    kind: bytePair === undefined ? other : `byte-level BPE, cut as ${bytePair.pattern}`,
    vocabularySize: tokenizer.vocabularySize,
    merges: bytePair?.merges.length ?? 0,
    specialTokens: [...tokenizer.specialTokens.keys()],
    chatTemplate: readTokenizerSettings(folder).chatTemplate !== undefined,
  };
}

function describeSafetensors(path: string): ModelFileDescription {
  const file = readSafetensors(path);
  try {
    const tensors = file.names.map((name) => file.record(name));
    return {
      path,
      format: "safetensors",
      ...counted(tensors.map(({ shape, type, begin, end }) => ({ shape, type, bytes: end - begin }))),
      metadata: file.metadata,
      files: [{ name: basename(path), bytes: statSync(path).size }],
      problems: [],
    };
  } finally {
    file.close();
  }
}

function describeGguf(path: string): ModelFileDescription {
  const file = readGguf(path);
  try {
    const shown = [...file.metadata].filter(([, value]) => value.type !== "array" || value.value.length <= 16);
    const tensors = [...file.tensors.values()].map(({ shape, type, bytes }) => ({
      shape,
      type: typeof type === "number" ? `ggml type ${type}` : type,
      bytes: bytes ?? 0,
    }));
    const tokens = file.metadata.get("tokenizer.ggml.tokens");
    const merges = file.metadata.get("tokenizer.ggml.merges");
    return {
      path,
      format: "gguf",
      architecture: textOf(file.metadata.get("general.architecture")),
      ...counted(tensors),
      tokenizer:
        tokens?.type === "array"
          ? {
              kind: [textOf(file.metadata.get("tokenizer.ggml.model")), textOf(file.metadata.get("tokenizer.ggml.pre"))]
                .filter((one) => one !== undefined)
                .join(", "),
              vocabularySize: tokens.value.length,
              merges: merges?.type === "array" ? merges.value.length : undefined,
              specialTokens: specialTokensOf(tokens.value, file.metadata.get("tokenizer.ggml.token_type")),
              chatTemplate: file.metadata.has("tokenizer.chat_template"),
            }
          : undefined,
      metadata: Object.fromEntries(
        shown.map(([key, { value }]) => [key, typeof value === "bigint" ? Number(value) : value]),
      ),
      files: [{ name: basename(path), bytes: statSync(path).size }],
      problems: [],
    };
  } finally {
    file.close();
  }
}

const controlToken = 3;

function specialTokensOf(tokens: readonly unknown[], types: GgufValue | undefined): string[] {
  if (types?.type !== "array") return [];
  return tokens.filter((_, id) => types.value[id] === controlToken).map(String);
}

function textOf(value: GgufValue | undefined): string | undefined {
  return value?.type === "string" ? value.value : undefined;
}

function counted(tensors: readonly { shape: readonly number[]; type: string; bytes: number }[]) {
  const types: Record<string, number> = {};
  let [parameters, asStored] = [0, 0];
  for (const { shape, type, bytes } of tensors) {
    const count = shape.reduce((product, size) => product * size, 1);
    types[type] = (types[type] ?? 0) + count;
    parameters += count;
    asStored += bytes;
  }
  // Training holds weights, gradients and AdamW's two moments, all f32.
  const memoryBytes = { asStored, f32: parameters * 4, training: parameters * 16 };
  return { parameters, tensors: tensors.length, types, memoryBytes };
}

function filesOf(folder: string): { name: string; bytes: number }[] {
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory()
        ? { name: `${entry.name}/`, bytes: folderBytes(path) }
        : { name: entry.name, bytes: statSync(path).size };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
