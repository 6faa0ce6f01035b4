/** GPT-2's printable stand-ins for bytes: `tokenizer.json` holds tokens as text, and every byte needs a character. */

const printable = (byte: number) =>
  (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);

/** All bytes in the order of their characters: printable ones first, then the others, which stand from U+0100 on. */
export function alphabetOrder(): number[] {
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  return [...bytes.filter(printable), ...bytes.filter((byte) => !printable(byte))];
}

const characters: string[] = [];
alphabetOrder().forEach((byte, index) => {
  const printableCount = 188;
  characters[byte] = String.fromCodePoint(index < printableCount ? byte : 256 + index - printableCount);
});
const bytesByCharacter = new Map(characters.map((character, byte) => [character, byte]));

/** Bytes as text. */
export function toCharacters(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += characters[byte];
  return text;
}

/** Text as bytes, or undefined where a character stands for none. */
export function fromCharacters(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  for (const character of text) {
    const byte = bytesByCharacter.get(character);
    if (byte === undefined) return undefined;
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
