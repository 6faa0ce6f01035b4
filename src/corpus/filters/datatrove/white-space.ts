/** White space as Python has it: without U+FEFF, with U+0085 and the information separators U+001C to U+001F. */

/** 1 for every code unit that `str.isspace` takes. */
export const isSpace = new Uint8Array(65536);
isSpace.fill(1, 0x09, 0x0e);
isSpace.fill(1, 0x1c, 0x21);
isSpace.fill(1, 0x2000, 0x200b);
for (const unit of [0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]) isSpace[unit] = 1;

/** Python's `str.strip`. */
export function strip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace[text.charCodeAt(start)]) start++;
  while (end > start && isSpace[text.charCodeAt(end - 1)]) end--;
  return text.slice(start, end);
}

/** Lengths of Python's `str.split()`, in code units. */
export function lengthsBetweenSpaces(text: string): number[] {
  const lengths: number[] = [];
  let start = 0;
  for (let index = 0; index <= text.length; index++) {
    if (index < text.length && !isSpace[text.charCodeAt(index)]) continue;
    if (index > start) lengths.push(index - start);
    start = index + 1;
  }
  return lengths;
}
