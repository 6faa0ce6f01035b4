import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeText, invalidUtf8Offset, normalise } from "../../src/corpus/normalise/index.ts";

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom(
      "a",
      " ",
      "\t",
      "\n",
      "\r",
      "\ufeff",
      "\u0000",
      "\f",
      "\u2028",
      "e",
      "\u0301",
      "\ud800",
      "😀",
    ),
  }),
);

describe("normalise", () => {
  it("changes nothing more when applied again", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(normalise(normalise(text))).toBe(normalise(text));
      }),
      { numRuns: 2000 },
    );
  });

  it("leaves text that UTF-8 can hold, in NFC, without carriage returns and control characters", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const normal = normalise(text);
        expect(Buffer.from(normal).toString()).toBe(normal);
        expect(normal.normalize("NFC")).toBe(normal);
        for (const character of normal) {
          const code = character.codePointAt(0) ?? 0;
          expect(code >= 32 || code === 9 || code === 10).toBe(true);
          expect(code < 127 || code > 159).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("leaves the tokens and the indentation of code as they were", () => {
    const code = "def f(x):\n\tif x:\n\t    return {'a':  1}\n\n\nclass A:\n    pass\n";
    expect(normalise(code)).toBe(code);
    expect(normalise(code.replaceAll("\n", " \t\r\n"))).toBe(code);
  });

  it.each([
    ["a byte order mark", "\ufeffhello", "hello"],
    ["a byte order mark behind a control character", "\u0000\ufeffhello", "hello"],
    ["old Macintosh line breaks", "a\rb\r\nc", "a\nb\nc"],
    ["Unicode line breaks", "a\u2028b\u2029c\u0085d", "a\nb\nc\nd"],
    ["control characters", "a\u0000b\u001b[31mc\u009f", "ab[31mc"],
    ["form feeds, which separate", "a\fb\n\f\nc", "a b\n\nc"],
    ["a decomposed letter", "e\u0301", "é"],
    ["a lone surrogate", "a\ud800b", "a\ufffdb"],
    ["spaces at line ends", "a  \nb\u00a0\n  c", "a\nb\n  c"],
    ["a run of blank lines", "a\n\n\n\n\nb", "a\n\n\nb"],
    ["blank lines at both ends", "\n\n a\n\n\n", " a\n"],
    ["nothing", "", ""],
    ["white space alone", " \n \t", ""],
  ])("normalises %s", (_, text, expected) => expect(normalise(text)).toBe(expected));

  it("keeps joiners and variation selectors, which make one emoji out of several", () => {
    expect(normalise("👩\u200d💻 ❤\ufe0f")).toBe("👩\u200d💻 ❤\ufe0f");
  });
});

describe("decodeText", () => {
  const bytes = (...values: number[]) => Uint8Array.from(values);
  const rejection = (input: Uint8Array) => {
    const result = decodeText(input);
    if ("text" in result) throw new Error(`decoded to ${JSON.stringify(result.text)}`);
    return result.rejection;
  };

  it("decodes UTF-8 with and without a byte order mark", () => {
    expect(decodeText(Buffer.from("žluťoučký 😀"))).toEqual({ text: "žluťoučký 😀" });
    expect(decodeText(bytes(0xef, 0xbb, 0xbf, 0x61))).toEqual({ text: "a" });
    expect(decodeText(bytes())).toEqual({ text: "" });
  });

  it("decodes UTF-16 in both byte orders by its mark", () => {
    const little = Buffer.from("\ufeffaž😀", "utf16le");
    expect(decodeText(little)).toEqual({ text: "až😀" });
    expect(decodeText(Buffer.from(little).swap16())).toEqual({ text: "až😀" });
  });

  it("names the offset of the first byte that is not UTF-8", () => {
    expect(rejection(Buffer.concat([Buffer.from("naïve "), bytes(0xe9, 0x20)]))).toEqual({
      stage: "read",
      rule: "encoding.utf8",
      value: "invalid byte at offset 7",
      expected: "valid UTF-8",
    });
  });

  it.each([
    ["over-long form", bytes(0x61, 0xc0, 0x80), 1],
    ["surrogate", bytes(0x61, 0x62, 0xed, 0xa0, 0x80), 2],
    ["beyond U+10FFFF", bytes(0xf4, 0x90, 0x80, 0x80), 0],
    ["cut off at the end", bytes(0x61, 0xe2, 0x82), 1],
    ["continuation alone", bytes(0x80), 0],
  ])("finds the offset of a sequence that is malformed: %s", (_, input, offset) => {
    expect(invalidUtf8Offset(input)).toBe(offset);
    expect(rejection(input).value).toBe(`invalid byte at offset ${offset}`);
  });

  it("agrees with TextDecoder on which bytes are UTF-8", () => {
    const lead = fc.constantFrom(0x61, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.array(lead, { maxLength: 8 }), (any, likely) => {
        for (const input of [any, Uint8Array.from(likely)]) {
          const offset = invalidUtf8Offset(input);
          const valid = (part: Uint8Array) => {
            try {
              return new TextDecoder("utf-8", { fatal: true }).decode(part) !== undefined;
            } catch {
              return false;
            }
          };
          expect(valid(input.subarray(0, offset))).toBe(true);
          expect(offset === input.length).toBe(valid(input));
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("takes bytes with a NUL, or many control characters, for binary", () => {
    expect(rejection(bytes(0x7f, 0x45, 0x4c, 0x46, 0, 1)).rule).toBe("encoding.binary");
    expect(rejection(Uint8Array.from({ length: 100 }, (_, index) => (index % 10 === 0 ? 2 : 97))).rule).toBe(
      "encoding.binary",
    );
  });

  it("rejects damaged UTF-16, and UTF-32, saying where and what", () => {
    expect(rejection(bytes(0xff, 0xfe, 0x61, 0x00, 0x00, 0xd8, 0x61, 0x00))).toMatchObject({
      rule: "encoding.utf16",
      value: "unpaired surrogate at offset 4",
    });
    expect(rejection(bytes(0xfe, 0xff, 0x00, 0x61, 0x00)).value).toBe("half a code unit at offset 4");
    expect(rejection(bytes(0xff, 0xfe, 0, 0, 0x61, 0, 0, 0)).rule).toBe("encoding.utf32");
  });
});
