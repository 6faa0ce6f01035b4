/**
 * Words as spaCy's blank English tokenizer splits them, which is what datatrove counts: white space, then exceptions,
 * marks before, behind and inside a word. The rules are spaCy's tables (MIT; `english-rules.json`), the code is ours.
 */
import rules from "./english-rules.json" with { type: "json" };
import { isSpace } from "./white-space.ts";

/** A piece of text between two splits, with what the filters ask of it. */
export interface Piece {
  readonly text: string;
  /** Code points. */
  readonly characters: number;
  /** Polynomial hash of the code units, so that the hash of joined pieces follows from theirs. */
  readonly hash: number;
  /** The factor by which a hash grows when this piece is joined to it. */
  readonly factor: number;
  /** White space: the splitter's token, nobody's word. */
  readonly white: boolean;
  readonly hasLetter: boolean;
  /** It has a character that is none of datatrove's marks. */
  readonly spoken: boolean;
  readonly sentenceMark: boolean;
  /** Nothing but punctuation. */
  readonly punctuation: boolean;
}

const userName = "(?:[^]+(?::[^]*)?@)?";

/** The patterns for any text, and shorter ones for texts in ASCII, which most are. */
function compiled({ prefix, suffix, infix, address }: (typeof rules)["patterns"]) {
  return {
    prefix: new RegExp(prefix, "u"),
    suffix: new RegExp(suffix, "gu"),
    infix: new RegExp(infix, "gu"),
    address: new RegExp(address, "u"),
    /** For runs without an `@`: looking for a user's name in them takes long. */
    addressWithoutUser: new RegExp(address.replace(userName, ""), "u"),
  };
}

type Patterns = ReturnType<typeof compiled>;
const anyPatterns = compiled(rules.patterns);
const asciiPatterns = compiled(rules.asciiPatterns);
const beyondAscii = /[^\0-\x7f]/;
const exceptions = new Map<string, readonly string[]>(Object.entries(rules.exceptions));

/** Longer runs with an `@` are no addresses: the pattern may look at all of a run once more for every `:` in it. */
const longestAddress = 2000;
// What cannot match is not tried: the patterns list many characters, and most runs end in letters.
const plainFront = /^[0-9A-Za-z](?!S?\$)/;
const plainBack = /[0-9A-Za-z]$/;
const unitOrGenitive = /[0-9'’][A-Za-z/]{1,4}$/;
/** These come off one by one: no longer ending has one of them as its last. */
const singleBack = new Set(",:;!?()[]{}<>_#*&'\"`");
const mayHoldInfix = /[^\w!-)@;?[-\]`{|}]/;
/** No ending but a row of full stops is longer. */
const longestSuffix = 64;
const plainWord = /^[A-Za-z]+$/;

const spoken = new RegExp(`[^${rules.marks.map((mark) => `\\u{${mark.codePointAt(0)!.toString(16)}}`).join("")}]`, "u");
const sentenceMarks = new Set(rules.sentenceMarks);
const hasLetter = /\p{L}/u;
const punctuation = /^\p{P}*$/u;

const hashBase = 0x01000193;
/** Runs seen before with their pieces, by hash, in pairs of slots: a new one takes the place of the older of its pair. */
const slots = 1 << 15;
const longestKept = 64;
const hashes = new Int32Array(slots);
const runs = new Array<string | undefined>(slots);
const piecesOf = new Array<readonly Piece[]>(slots);

/** Calls `visit` with every piece of `text` in its order, white space other than single blanks included. */
export function forEachPiece(text: string, visit: (piece: Piece) => void): void {
  let start = 0;
  let hash = 0;
  let white = isSpace[text.charCodeAt(0)];
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (isSpace[unit] !== white) {
      if (start < index) for (const piece of known(text, start, index, hash)) visit(piece);
      // The blank after a word belongs to it; white space beyond that is a token of its own.
      start = unit === 32 ? index + 1 : index;
      hash = 0;
      white ^= 1;
    }
    if (index >= start) hash = Math.imul(hash ^ unit, hashBase);
  }
  if (start < text.length) for (const piece of known(text, start, text.length, hash)) visit(piece);
}

/** The pieces of the run from `start` to `end`. */
function known(text: string, start: number, end: number, hash: number): readonly Piece[] {
  const newer = (hash ^ (hash >>> 15)) & (slots - 2);
  const older = newer + 1;
  for (let slot = newer; slot <= older; slot++) {
    const run = runs[slot];
    if (run === undefined || hashes[slot] !== hash || run.length !== end - start) continue;
    if (text.startsWith(run, start)) return piecesOf[slot];
  }
  if (end - start > longestKept) return piecesOfRun(text.slice(start, end));
  hashes[older] = hashes[newer];
  runs[older] = runs[newer];
  piecesOf[older] = piecesOf[newer];
  // A copy: a slice would hold on to the whole text.
  const run = Buffer.from(text.slice(start, end), "utf16le").toString("utf16le");
  hashes[newer] = hash;
  runs[newer] = run;
  piecesOf[newer] = piecesOfRun(run);
  return piecesOf[newer];
}

function piecesOfRun(run: string): Piece[] {
  if (plainWord.test(run)) return (exceptions.get(run) ?? [run]).map(pieceOf);
  return joinExceptions(exceptions.get(run) ?? splitRun(run, true)).map(pieceOf);
}

/** Takes marks off both ends until nothing more comes off, then splits what is left inside. */
function splitRun(run: string, withExceptions: boolean): string[] {
  const patterns = beyondAscii.test(run) ? anyPatterns : asciiPatterns;
  const isException = (text: string) => withExceptions && text !== "" && exceptions.has(text);
  const before: string[] = [];
  const after: string[] = [];
  let rest = run;
  for (let length = -1; rest !== "" && rest.length !== length && !isException(rest); ) {
    length = rest.length;
    const front = plainFront.test(rest) ? 0 : (patterns.prefix.exec(rest)?.[0].length ?? 0);
    if (front > 0 && isException(rest.slice(front))) {
      before.push(rest.slice(0, front));
      rest = rest.slice(front);
      break;
    }
    const back = suffixLength(rest, front, patterns);
    if (back > 0 && isException(rest.slice(0, -back))) {
      after.push(rest.slice(-back));
      rest = rest.slice(0, -back);
      break;
    }
    const both = front + back <= rest.length;
    if (front > 0) before.push(rest.slice(0, front));
    if (back > 0 && (both || front === 0)) {
      after.push(rest.slice(-back));
      rest = rest.slice(front, -back);
    } else {
      rest = rest.slice(front);
    }
  }
  return [...before, ...(rest === "" ? [] : middle(rest, withExceptions, patterns)), ...after.reverse()];
}

/** Length of the marks at the end of `text`, looked for from `from` on. */
function suffixLength(text: string, from: number, { suffix }: Patterns): number {
  if (from < text.length && singleBack.has(text[text.length - 1])) return 1;
  if (plainBack.test(text) && !unitOrGenitive.test(text)) return 0;
  let start = Math.max(0, text.length - longestSuffix);
  while (start > 0 && text[start] === ".") start--;
  // What stands before `from` is gone: a mark must not look behind it.
  const rest = from > start ? text.slice(from) : text;
  suffix.lastIndex = from > start ? 0 : start;
  return suffix.exec(rest)?.[0].length ?? 0;
}

function middle(text: string, withExceptions: boolean, patterns: Patterns): readonly string[] {
  const exception = withExceptions ? exceptions.get(text) : undefined;
  if (exception !== undefined) return exception;
  if (text.includes(".") && isAddress(text, patterns)) return [text];
  if (!mayHoldInfix.test(text)) return [text];
  const pieces: string[] = [];
  let start = 0;
  for (const match of text.matchAll(patterns.infix)) {
    if (match.index === 0) continue;
    if (match.index !== start) pieces.push(text.slice(start, match.index));
    if (match[0] !== "") pieces.push(match[0]);
    start = match.index + match[0].length;
  }
  if (start < text.length) pieces.push(text.slice(start));
  return pieces;
}

function isAddress(text: string, { address, addressWithoutUser }: Patterns): boolean {
  return text.includes("@") ? text.length <= longestAddress && address.test(text) : addressWithoutUser.test(text);
}

/** Exceptions whose own marks come off, by the pieces that are left of them. */
interface ExceptionTree {
  readonly next: Map<string, ExceptionTree>;
  text?: string;
}

let tree: ExceptionTree | undefined;

function exceptionTree(): ExceptionTree {
  if (tree !== undefined) return tree;
  tree = { next: new Map() };
  for (const text of exceptions.keys()) {
    const { prefix, infix } = anyPatterns;
    const splits = prefix.test(text) || text.search(infix) >= 0 || suffixLength(text, 0, anyPatterns) > 0;
    if (!splits) continue;
    let node = tree;
    for (const piece of splitRun(text, false)) {
      const known = node.next.get(piece) ?? { next: new Map<string, ExceptionTree>() };
      node.next.set(piece, known);
      node = known;
    }
    node.text = text;
  }
  return tree;
}

/** Puts exceptions together again that the marks took apart, the longest first. */
function joinExceptions(pieces: readonly string[]): readonly string[] {
  const found: { start: number; end: number; text: string }[] = [];
  for (let start = 0; start < pieces.length; start++) {
    let node: ExceptionTree | undefined = exceptionTree();
    for (let end = start; end < pieces.length; end++) {
      node = node.next.get(pieces[end]);
      if (node === undefined) break;
      if (node.text !== undefined) found.push({ start, end: end + 1, text: node.text });
    }
  }
  if (found.length === 0) return pieces;
  found.sort((a, b) => b.end - b.start - (a.end - a.start) || a.start - b.start);
  const taken = new Set<number>();
  const chosen = new Map<number, { end: number; text: string }>();
  for (const { start, end, text } of found) {
    if (!taken.has(start) && !taken.has(end - 1)) chosen.set(start, { end, text });
    for (let piece = start; piece < end; piece++) taken.add(piece);
  }
  const joined: string[] = [];
  for (let piece = 0; piece < pieces.length; ) {
    const one = chosen.get(piece);
    if (one === undefined) joined.push(pieces[piece++]);
    else {
      joined.push(...(exceptions.get(one.text) ?? []));
      piece = one.end;
    }
  }
  return joined;
}

/** What the patterns say of each character of ASCII: of a text they say what they say of any, or of all, of its characters. */
const [LETTER, SPOKEN, PUNCTUATION] = [1, 2, 4];
const asciiClasses = Uint8Array.from({ length: 128 }, (_, unit) => {
  const character = String.fromCharCode(unit);
  return (
    (hasLetter.test(character) ? LETTER : 0) |
    (spoken.test(character) ? SPOKEN : 0) |
    (punctuation.test(character) ? PUNCTUATION : 0)
  );
});

/** Pieces of one character of ASCII: half of the pieces in code are such marks. */
const singlePieces = new Array<Piece | undefined>(128);

function pieceOf(text: string): Piece {
  const unit = text.charCodeAt(0);
  if (text.length !== 1 || unit >= 128) return newPiece(text);
  singlePieces[unit] ??= newPiece(text);
  return singlePieces[unit];
}

function newPiece(text: string): Piece {
  let hash = 0;
  let factor = 1;
  let characters = 0;
  let units = 0;
  let some = 0;
  let all = PUNCTUATION;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    hash = (Math.imul(hash, hashBase) + unit + 1) | 0;
    factor = Math.imul(factor, hashBase);
    if ((unit & 0xfc00) !== 0xdc00) characters++;
    units |= unit;
    some |= asciiClasses[unit & 127];
    all &= asciiClasses[unit & 127];
  }
  const ascii = units < 128;
  return {
    text,
    characters,
    hash,
    factor,
    white: isSpace[text.charCodeAt(0)] === 1,
    hasLetter: ascii ? (some & LETTER) !== 0 : hasLetter.test(text),
    spoken: ascii ? (some & SPOKEN) !== 0 : spoken.test(text),
    sentenceMark: sentenceMarks.has(text),
    punctuation: ascii ? all !== 0 : punctuation.test(text),
  };
}
