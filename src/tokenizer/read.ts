/** Reads any `tokenizer.json` of the usual families, and tiktoken's files of ranks. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { messageOf, TilthError } from "../foundation/index.ts";
import { BytePairTokenizer } from "./byte-pair.ts";
import { libraryTokenizer } from "./library-tokenizer.ts";
import { type PatternName, patternOf } from "./pre-tokenizer.ts";
import { bytePairTokenizer, isByteLevel } from "./read-byte-pair.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { isWordPiece, wordPieceTokenizer } from "./word-piece.ts";

/**
 * Reads a `tokenizer.json`; the end-of-text token is the `eos_token` of the `tokenizer_config.json` beside it, if there is
 * one. Throws TilthError naming the key that is unknown, inconsistent or damaged.
 */
export function readTokenizerJson(path: string): Tokenizer {
  if (!existsSync(path)) {
    throw new TilthError(`${path} is missing`, { remedy: "A checkpoint's folder holds its tokenizer.json." });
  }
  const configuration = join(dirname(path), "tokenizer_config.json");
  const settings = existsSync(configuration) ? parseJson(readFileSync(configuration, "utf8"), configuration) : {};
  return parseTokenizerJson(readFileSync(path, "utf8"), path, settings);
}

/** As `readTokenizerJson`, from text; `name` is for messages, `settings` what `tokenizer_config.json` holds. */
export function parseTokenizerJson(text: string, name = "tokenizer.json", settings: unknown = {}): Tokenizer {
  const json = parseJson(text, name);
  const endOfText = endOfTextOf(settings);
  if (isWordPiece(json)) return wordPieceTokenizer(json, name);
  if (isByteLevel(json) && !hasForeignPattern(json)) return bytePairTokenizer(json, name, endOfText);
  return libraryTokenizer(json, settings, name, endOfText);
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TilthError(`${name} is not valid JSON: ${messageOf(cause)}`, { cause });
  }
}

/** `eos_token` is a string or an object with its content. */
function endOfTextOf(settings: unknown): string | undefined {
  const token = (settings as { readonly eos_token?: unknown } | null)?.eos_token;
  if (typeof token === "string") return token;
  const content = (token as { readonly content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

/** Byte-level families with a pattern of their own (DeepSeek, StarCoder) are left to the library. */
function hasForeignPattern(json: unknown): boolean {
  const { pre_tokenizer: preTokenizer } = json as { readonly pre_tokenizer?: { readonly pretokenizers?: unknown } };
  if (!Array.isArray(preTokenizer?.pretokenizers)) return false;
  const splits = preTokenizer.pretokenizers as { type?: string; pattern?: { Regex?: unknown } }[];
  const [first] = splits;
  return splits.length !== 2 || first?.type !== "Split" || patternOf(String(first.pattern?.Regex)) === undefined;
}

/**
 * A tokenizer from tiktoken's ranks: lines of base64 bytes and a rank. Pieces that are tokens are taken whole, and a pair
 * merges at the rank of what it becomes, whichever pair it is.
 */
export function parseTiktoken(
  text: string,
  pattern: PatternName,
  specialTokens: ReadonlyMap<string, number> = new Map(),
): BytePairTokenizer {
  const tokens: Uint8Array[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [encoded, rank, more] = line.trim().split(" ");
    const id = Number(rank);
    if (more !== undefined || !Number.isInteger(id) || id < 0 || id >= 1 << 24) {
      throw new TilthError(
        `line ${index + 1} of the tiktoken file is "${line.slice(0, 80)}", expected base64 and a rank`,
      );
    }
    tokens[id] = Buffer.from(encoded, "base64");
  }
  const ids = new Map<string, number>();
  for (let id = 0; id < tokens.length; id++) {
    if (tokens[id] !== undefined) ids.set(Buffer.from(tokens[id]).toString("latin1"), id);
  }
  const merges: { left: number; right: number; merged: number; rank: number }[] = [];
  for (const [identity, merged] of ids) {
    for (let cut = 1; cut < identity.length; cut++) {
      const [left, right] = [ids.get(identity.slice(0, cut)), ids.get(identity.slice(cut))];
      if (left !== undefined && right !== undefined) merges.push({ left, right, merged, rank: merged });
    }
  }
  const special = new Map([["<|endoftext|>", tokens.length], ...specialTokens]);
  for (const [name, id] of special) tokens[id] = Buffer.from(name);
  // Published files have holes between ranks and special tokens; nothing encodes to them.
  for (let id = 0; id < tokens.length; id++) tokens[id] ??= Buffer.from(`<|unused ${id}|>`);
  return new BytePairTokenizer({ pattern, tokens, merges, specialTokens: special, ignoreMerges: true });
}
