/**
 * One form for every text before it is measured, compared and stored. It removes what editors and transports add
 * (byte order marks, carriage returns, control characters, spaces at line ends) and nothing that a writer means:
 * tabs, indentation, case and punctuation stay, so that code is still the same code.
 */
export { decodeText, invalidUtf8Offset } from "./decode.ts";
export { extractHtml } from "./html.ts";

const lineBreaks = /\r\n?|[\u0085\u2028\u2029]/g;
// C0 and C1 controls and DEL; tab and line feed stay, form feed and vertical tab are spaces between tokens.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed here
const controls = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f]+/g;
const verticalSpace = /\v|\f/g;
const beyondAscii = /[\u0080-\uffff]/;
const loneSurrogates = /\p{Surrogate}/gu;
const spaceAtLineEnd = /[^\S\n](?:\n|$)/;
/** Style guides separate definitions by two blank lines at most; longer runs carry nothing. */
const blankRun = /\n{4,}/g;

/**
 * The normal form of `text`: Unicode NFC, `\n` as the only line break, no byte order mark at the start, no control
 * characters, no spaces at line ends, at most two blank lines in a row and none at either end.
 * Applying it twice gives what applying it once gives.
 */
export function normalise(text: string): string {
  let normal = text.replace(lineBreaks, "\n").replace(controls, "").replace(verticalSpace, " ");
  if (beyondAscii.test(normal)) normal = normal.replace(loneSurrogates, "\ufffd").normalize("NFC");
  // Line by line: one pattern over the text would try every start within a long run of spaces, in quadratic time.
  if (spaceAtLineEnd.test(normal)) {
    normal = normal
      .split("\n")
      .map((line) => line.trimEnd())
      .join("\n");
  }
  // Last, because what was removed before may have stood in front of the mark or between two blank lines.
  return normal
    .replace(blankRun, "\n\n\n")
    .replace(/^[\n\ufeff]+/, "")
    .replace(/\n{2,}$/, "\n");
}
