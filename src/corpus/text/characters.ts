/** What each UTF-16 code unit is, as one table: filters and deduplication look characters up instead of matching. */

/** A letter of any script, or a mark that belongs to one. */
export const LETTER = 1;
/** A decimal digit or other number sign of any script. */
export const DIGIT = 2;
/** White space other than a line break. */
export const SPACE = 4;
/** U+000A. Texts are measured after normalisation, which leaves no other line break. */
export const NEWLINE = 8;
/** A letter of a script written without spaces (Han, kana, Thai, …): it counts as a word of its own. */
export const UNSPACED = 16;
/** The alphabet of base64, without line breaks. */
export const BASE64 = 32;
/** The digits of hexadecimal numbers. */
export const HEXADECIMAL = 64;

export const WORD_PART = LETTER | DIGIT;
export const WHITE = SPACE | NEWLINE;

/** Flags of every code unit; a surrogate pair has its flags on the first half and those of a letter's rest on the second. */
export const characterFlags: Uint8Array = buildFlags();

/** The lower-case form of every code unit, where that is one code unit; otherwise the unit itself. */
export const lowerCase: Uint16Array = buildLowerCase();

function buildFlags(): Uint8Array {
  const flags = new Uint8Array(65536);
  // Matching whole runs over one string of all units is about ten times quicker than 65,536 single tests.
  const units = allUnits();
  const mark = (pattern: RegExp, flag: number) => {
    for (const match of units.matchAll(pattern)) {
      for (let unit = match.index; unit < match.index + match[0].length; unit++) flags[unit] |= flag;
    }
  };
  mark(/[\p{L}\p{M}]+/gu, LETTER);
  mark(/\p{N}+/gu, DIGIT);
  mark(/\s+/gu, SPACE);
  mark(/[A-Za-z0-9+/=]+/g, BASE64);
  mark(/[0-9A-Fa-f]+/g, HEXADECIMAL);
  mark(
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/gu,
    UNSPACED,
  );
  // Vowel signs and tone marks of these scripts stay with the letter before them.
  for (let unit = 0; unit < 65536; unit++) if (!(flags[unit] & LETTER)) flags[unit] &= ~UNSPACED;
  flags[10] = NEWLINE;
  // Beyond the basic plane a table by first half is enough: 1D400–1D7FF are mathematical letters, 20000–3FFFF are Han,
  // 10000–11FFF mostly historic scripts; the rest is emoji and symbols.
  for (let high = 0xd800; high <= 0xd807; high++) flags[high] = LETTER;
  flags[0xd835] = LETTER;
  for (let high = 0xd840; high <= 0xd8bf; high++) flags[high] = LETTER | UNSPACED;
  return flags;
}

function buildLowerCase(): Uint16Array {
  const table = Uint16Array.from({ length: 65536 }, (_, unit) => unit);
  for (const match of allUnits().matchAll(/[\p{Lu}\p{Lt}]/gu)) {
    const lower = match[0].toLowerCase();
    if (lower.length === 1) table[match.index] = lower.charCodeAt(0);
  }
  return table;
}

/** Every code unit at its own index; surrogates are replaced so that no two of them pair up. */
function allUnits(): string {
  const units: string[] = [];
  for (let unit = 0; unit < 65536; unit++) units.push(String.fromCharCode(unit >= 0xd800 && unit < 0xe000 ? 0 : unit));
  return units.join("");
}
