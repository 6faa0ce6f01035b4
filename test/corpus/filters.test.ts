import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type DocumentKind, documentKinds } from "../../src/corpus/document.ts";
import { filterCatalogue, filterSettings, judgeDocument, measureDocument } from "../../src/corpus/filters/index.ts";
import { proseOf } from "../../src/corpus/filters/prose.ts";

const kinds = documentKinds;
const defaults = filterSettings.parse({});
const rulesAgainst = (text: string, kind: DocumentKind, settings = defaults) =>
  judgeDocument(measureDocument(text, kind), kind, settings).map(({ rule }) => rule);

const article = `# A small parser

The parser reads a file and gives back a tree. It keeps the position of each token, so that an error can
name the line and the column. Comments are kept as well, because a formatter has to print them.

- Errors have a stable name and a message that says what to do.
- The tree can be walked with a visitor, which is called before and after each node.

It was written for configuration files of a few hundred lines. Nothing in it depends on the size of a file.
`;

describe("measureDocument", () => {
  const anyText = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.string({
      unit: fc.constantFrom(
        "a",
        "the ",
        "\n",
        " ",
        "-",
        ".",
        "…",
        "#",
        "|",
        "```\n",
        "0",
        "=",
        "中",
        "{",
        "\\u00e9",
        "<a",
        "<!--",
        "](",
        "😀",
      ),
      maxLength: 300,
    }),
  );

  it("gives the same finite values for any text, the empty one included", () => {
    const names = Object.keys(measureDocument("", "prose"));
    fc.assert(
      fc.property(anyText, fc.constantFrom(...kinds), (text, kind) => {
        const measures = measureDocument(text, kind);
        expect(Object.keys(measures)).toEqual(names);
        for (const [name, value] of Object.entries(measures)) {
          expect(Number.isFinite(value) && value >= 0, `${name} = ${value}`).toBe(true);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("keeps every share between 0 and 1", () => {
    const shares = filterCatalogue.flatMap(({ name, measures }) =>
      measures
        .filter(({ description }) => description.startsWith("share of"))
        .map((measure) => `${name}.${measure.name}`),
    );
    expect(shares.length).toBeGreaterThan(20);
    fc.assert(
      fc.property(anyText, fc.constantFrom(...kinds), (text, kind) => {
        const measures = measureDocument(text, kind);
        for (const name of shares) expect(measures[name], name).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1500 },
    );
  });

  it("does not depend on the documents measured before", () => {
    const long = Array.from({ length: 5000 }, (_, index) => `word${index % 700} and ${index}`).join("\n\n");
    const before = measureDocument(article, "prose");
    measureDocument(long, "prose");
    expect(measureDocument(article, "prose")).toEqual(before);
  });

  it("looks at the running text of prose, and at all of anything else", () => {
    const readme = `${article}\n\`\`\`js\n${"const { a } = require('a');\n".repeat(40)}\`\`\`\n`;
    const measures = measureDocument(readme, "prose");
    expect(measures["gopher-quality.words"]).toBe(measureDocument(article, "prose")["gopher-quality.words"]);
    expect(measures["length.bytes"]).toBe(Buffer.byteLength(readme));
    expect(measureDocument(readme, "code")["gopher-quality.words"]).toBeGreaterThan(
      measures["gopher-quality.words"] + 100,
    );
  });
});

describe("proseOf", () => {
  it.each([
    ["fenced code", "a\n\n```js\nx\n```\n\nb", "a\n\nb"],
    ["a fence within a longer fence", "a\n````\n```\nx\n```\n````\nb", "a\n\nb"],
    ["a fence that never closes", "a\n~~~\nx", "a\n"],
    ["badges", "[![build](https://a.b/c.svg)](https://d.e)\ntext", "[]\ntext"],
    ["the target of a link", "see [the docs](https://a.b/c) now", "see [the docs] now"],
    ["link definitions", "text\n[1]: https://a.b\n", "text\n\n"],
    ["tags", 'a <b class="x">bold</b> word', "a bold word"],
    ["comments", "a <!-- x\ny --> b", "a  b"],
    ["heading marks", "## Title\ntext # 1", " Title\ntext # 1"],
    ["rules and underlines", "Title\n=====\n\n---\ntext", "Title\n\ntext"],
    ["table borders", "| a | b |\n|---|:-:|\n| c | d |", " a b \n\n c d "],
  ])("leaves out %s", (_, text, expected) => expect(proseOf(text)).toBe(expected));

  it.each(["a < b and c > d", "x | y", "#hash is a word", "1. item\n- item", "`a` or ```b``` inline"])(
    "leaves plain text alone: %s",
    (text) => expect(proseOf(text)).toBe(text),
  );
});

describe("gopher-quality", () => {
  const measure = (text: string, name: string) => measureDocument(text, "prose")[`gopher-quality.${name}`];

  it("counts words, letters and marks", () => {
    const text = "The cat sat on mat 12 times ... with #fun -- really…";
    expect(measure(text, "words")).toBe(12);
    expect(measure(text, "alphabeticWords")).toBeCloseTo(9 / 12);
    // The, cat, sat, on, mat, 12, times, with, #fun, really…: characters of words with a letter or digit.
    expect(measure(text, "meanWordLength")).toBeCloseTo((3 + 3 + 3 + 2 + 3 + 2 + 5 + 4 + 4 + 7) / 10);
    expect(measure(text, "hashesPerWord")).toBeCloseTo(1 / 12);
    expect(measure(text, "ellipsesPerWord")).toBeCloseTo(2 / 12);
  });

  it("counts each stop word once, in any case and between punctuation", () => {
    expect(measure('"The" the THE, (with) anthem without', "stopWords")).toBe(2);
    expect(measure("the be to of and that have with", "stopWords")).toBe(8);
    expect(measure("they been too off", "stopWords")).toBe(0);
  });

  it("counts bullets and ellipses by line, blank lines aside", () => {
    const text = "- one\n\n  * two ...\n• three…\n**bold** text\n-5 degrees\nplain";
    expect(measure(text, "bulletLines")).toBeCloseTo(3 / 6);
    expect(measure(text, "ellipsisLines")).toBeCloseTo(2 / 6);
  });

  it("counts a letter of a script without spaces as a word", () => {
    expect(measure("机器学习 works", "words")).toBe(5);
  });
});

describe("gopher-repetition", () => {
  const shares = (text: string) => measureDocument(text, "code");

  it("counts lines and paragraphs after their first occurrence", () => {
    const measures = shares("aaaa\nbb\n\naaaa\nbb\n\ncc\naaaa");
    // Lines aaaa bb aaaa bb cc aaaa: three repeats of 10 characters among 18; paragraphs: one repeat of 6.
    expect(measures["gopher-repetition.duplicateLines"]).toBeCloseTo(3 / 6);
    expect(measures["gopher-repetition.duplicateLineCharacters"]).toBeCloseTo(10 / 18);
    expect(measures["gopher-repetition.duplicateParagraphs"]).toBeCloseTo(1 / 3);
    expect(measures["gopher-repetition.duplicateParagraphCharacters"]).toBeCloseTo(6 / 18);
  });

  it("takes the most frequent n-gram, and of equally frequent ones the longest", () => {
    // "ab cd" and "cd ab" both occur twice; "longer words" twice as well and is the longest.
    expect(shares("ab cd ab cd ab x longer words y longer words")["gopher-repetition.top2Gram"]).toBeCloseTo(
      (2 * 11) / 34,
    );
    expect(shares("no pair occurs twice here")["gopher-repetition.top2Gram"]).toBe(0);
  });

  it("agrees with a plain count over strings of words", () => {
    const word = fc.constantFrom("a", "bb", "ccc", "dddd", "e.", "中");
    fc.assert(
      fc.property(fc.array(word, { maxLength: 80 }), (words) => {
        const text = words.join(" ");
        const measures = shares(text);
        for (const n of [2, 3, 4])
          expect(measures[`gopher-repetition.top${n}Gram`]).toBeCloseTo(plainTop(words, n), 10);
        for (const n of [5, 6, 7, 8, 9, 10]) {
          expect(measures[`gopher-repetition.duplicate${n}Grams`]).toBeCloseTo(plainDuplicate(words, n), 10);
        }
      }),
      { numRuns: 500 },
    );
  });

  function plainTop(words: string[], n: number): number {
    const counts = new Map<string, number>();
    for (let start = 0; start + n <= words.length; start++) {
      const gram = words.slice(start, start + n).join(" ");
      counts.set(gram, (counts.get(gram) ?? 0) + 1);
    }
    const highest = Math.max(0, ...counts.values());
    if (highest < 2) return 0;
    const lengths = [...counts]
      .filter(([, count]) => count === highest)
      .map(([gram]) => gram.replaceAll(" ", "").length);
    return Math.min(1, (highest * Math.max(...lengths)) / words.join("").length);
  }

  function plainDuplicate(words: string[], n: number): number {
    const seen = new Set<string>();
    let repeated = 0;
    for (let start = 0; start + n <= words.length; ) {
      const gram = words.slice(start, start + n).join(" ");
      if (seen.has(gram)) {
        repeated += gram.replaceAll(" ", "").length;
        start += n;
      } else {
        seen.add(gram);
        start++;
      }
    }
    return repeated === 0 ? 0 : repeated / words.join("").length;
  }
});

describe("fineweb", () => {
  const measure = (text: string, name: string) => measureDocument(text, "prose")[`fineweb.${name}`];

  it("counts lines that end in punctuation, closing marks and repeated marks included", () => {
    expect(measure('One.\nTwo!!\n"Three."\n(four?)\n**Five:**\nsix\nseven,\n八。', "punctuatedLines")).toBeCloseTo(
      6 / 8,
    );
  });

  it("counts short lines, repeated lines and line breaks", () => {
    const line = "a line of more than thirty characters";
    expect(measure(`short\n${"x".repeat(30)}\n${line}\n\n${line}`, "shortLines")).toBeCloseTo(2 / 4);
    expect(measure(`${line}\n${line}\nxx`, "duplicateLineCharacters")).toBeCloseTo(31 / 64);
    expect(measure("one two\n\nthree four\n", "newlinesPerWord")).toBeCloseTo(2 / 4);
  });
});

describe("c4", () => {
  const measure = (text: string, name: string) => measureDocument(text, "prose")[`c4.${name}`];

  it("counts sentences and the lines that C4 would keep", () => {
    const text =
      'This line stays. It has "two sentences."\nToo short.\nno full stop here at all\nPlease enable Javascript to continue.\nWe use cookies and more.\nTo be continued...';
    expect(measure(text, "sentences")).toBe(5);
    expect(measure(text, "terminalLines")).toBeCloseTo(4 / 6);
    expect(measure(text, "keptLines")).toBeCloseTo(1 / 6);
  });

  it("finds placeholder text, braces and endless words", () => {
    expect(measure("Lorem Ipsum dolor", "loremIpsum")).toBe(1);
    expect(measure("a { b } c", "curlyBraces")).toBe(2);
    expect(measure(`a ${"b".repeat(1200)} c`, "longestWord")).toBe(1200);
  });
});

describe("code-quality", () => {
  it("measures the shape of lines", () => {
    const measures = measureDocument(`${"x".repeat(1500)}\nab 1\n\nc\n`, "code");
    expect(measures["code-quality.lines"]).toBe(4);
    expect(measures["code-quality.longestLine"]).toBe(1500);
    expect(measures["code-quality.meanLineLength"]).toBeCloseTo((1509 - 3) / 4);
    expect(measures["code-quality.longLineShare"]).toBeCloseTo(1500 / 1509);
    expect(measures["code-quality.alphabeticShare"]).toBeCloseTo(1503 / 1509);
    expect(measures["code-quality.alphanumericShare"]).toBeCloseTo(1504 / 1509);
    expect(measures["code-quality.alphabeticTokens"]).toBeCloseTo(3 / 4);
    expect(measures["code-quality.whiteSpaceShare"]).toBeCloseTo(5 / 1509);
  });

  const source =
    'import { readFileSync } from "node:fs";\n\n/** The text of a file. */\nexport function read(path: string): string {\n  return readFileSync(path, "utf8");\n}\n';

  it("keeps a source file and rejects the same code minified", () => {
    expect(rulesAgainst(source, "code")).toEqual([]);
    const minified = source.replace(/\s+/g, " ").repeat(20);
    expect(rulesAgainst(minified, "code")).toEqual(["code-quality.meanLineLength", "code-quality.longLineShare"]);
  });

  it("keeps a long file with one long line, unless the published thresholds are asked for", () => {
    const withTable = `${source.repeat(100)}const table = "${"word ".repeat(250)}";\n`;
    expect(rulesAgainst(withTable, "code")).toEqual([]);
    const published = filterSettings.parse({ code: { preset: "published" } });
    expect(rulesAgainst(withTable, "code", published)).toEqual(["code-quality.longestLine"]);
  });

  it("rejects code that says it is generated, and keeps such declarations", () => {
    const generated = `// This file was automatically generated. DO NOT EDIT.\n${source}`;
    expect(rulesAgainst(generated, "code")).toEqual(["generated-code.markers"]);
    expect(rulesAgainst(generated, "declarations")).toEqual([]);
    expect(measureDocument(generated, "code")["generated-code.otherMarkers"]).toBe(1);
    expect(
      rulesAgainst(source.replace("The text", "The automatically generated text").padStart(400, "\n"), "code"),
    ).toEqual([]);
  });
});

describe("encoded-data", () => {
  const measure = (text: string, name: string) => measureDocument(text, "code")[`encoded-data.${name}`];
  const base64 = Buffer.from(Array.from({ length: 900 }, (_, index) => (index * 37) % 256)).toString("base64");

  it("finds base64, on one line and wrapped", () => {
    expect(measure(`const a = "${base64}";`, "longestRun")).toBe(1200);
    expect(measure(base64.replace(/.{76}/g, "$&\n"), "longestRun")).toBe(1200);
    expect(measure(`x = "${base64}"`, "encodedShare")).toBeCloseTo(1200 / 1206);
  });

  it("does not take rules, paths or words for base64", () => {
    expect(measure(`${"=".repeat(80)}\n${"/".repeat(100)}\n`, "encodedShare")).toBe(0);
    expect(measure("alpha1\nbeta2\n".repeat(100), "encodedShare")).toBe(0);
    expect(measure("aVeryLongIdentifierThatNeverEnds".repeat(4), "encodedShare")).toBe(0);
  });

  it.each([
    ["bytes in hexadecimal", "0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x77, 0x6f, 0x72"],
    ["a hexadecimal dump", "48 65 6c 6c 6f 20 77 6f 72 6c 64"],
    ["escaped bytes", "\\x48\\x65\\x6c\\x6c\\x6f\\x20\\x77\\x6f"],
    ["Unicode escapes", "\\u0048\\u0065\\u006c\\u006c\\u006f\\u0020\\u0077\\u006f"],
  ])("finds %s", (_, data) => {
    expect(measure(`a = "${data}"`, "longestRun")).toBe(data.length);
    expect(measure(`a = "${data.slice(0, data.length / 2)}"`, "longestRun")).toBe(0);
  });

  it("finds the mappings of a source map", () => {
    const map = `{"version":3,"names":[],"mappings":"${"AAAA,SAAS;".repeat(30)}"}`;
    expect(rulesAgainst(map, "data")).toEqual(["encoded-data.sourceMapShare"]);
  });
});

describe("judgeDocument", () => {
  it("keeps technical prose and says of a rejected document what was measured and expected", () => {
    expect(rulesAgainst(article, "prose")).toEqual([]);
    const measures = { ...measureDocument(article, "prose"), "gopher-quality.words": 12 };
    expect(judgeDocument(measures, "prose", defaults)).toEqual([
      { stage: "filter", rule: "gopher-quality.words", value: 12, expected: "30–100000" },
    ]);
  });

  it("lets a value on the threshold pass", () => {
    const settings = filterSettings.parse({
      prose: { preset: "none", length: { bytes: { minimum: 100, maximum: 200 } } },
    });
    const judge = (bytes: number) => judgeDocument({ "length.bytes": bytes }, "prose", settings).length;
    expect([99, 100, 200, 201].map(judge)).toEqual([1, 0, 0, 1]);
  });

  it("takes a threshold of 0 for a threshold, and null for none", () => {
    const zero = filterSettings.parse({ prose: { preset: "none", c4: { curlyBraces: { maximum: 0 } } } });
    expect(rulesAgainst("a { b", "prose", zero)).toEqual(["c4.curlyBraces"]);
    const off = filterSettings.parse({ prose: { preset: "published", c4: { curlyBraces: null } } });
    expect(rulesAgainst("a { b", "prose", off)).not.toContain("c4.curlyBraces");
    const filterOff = filterSettings.parse({ prose: { preset: "published", c4: null, "gopher-quality": null } });
    expect(rulesAgainst("a { b", "prose", filterOff).filter((rule) => /^(c4|gopher-quality)\./.test(rule))).toEqual([]);
  });

  it("judges a measure without a published threshold where settings give one", () => {
    const settings = filterSettings.parse({
      code: { preset: "none", "gopher-repetition": { duplicateLines: { maximum: 0.5 } } },
    });
    expect(rulesAgainst("a\n".repeat(9), "code", settings)).toEqual(["gopher-repetition.duplicateLines"]);
  });

  it("refuses to judge what was not measured", () => {
    expect(() => judgeDocument({}, "prose", defaults)).toThrow("no value for length.bytes");
  });

  it("rejects an empty document of any kind", () => {
    for (const kind of kinds) expect(rulesAgainst("", kind)).toContain("length.bytes");
  });
});

describe("filterSettings", () => {
  it.each([
    ["filter", { prose: { "gopher-qualty": null } }, 'did you mean \\"gopher-quality\\"?'],
    ["measure", { prose: { fineweb: { shortLine: null } } }, 'did you mean \\"shortLines\\"?'],
    ["kind", { pros: {} }, 'did you mean \\"prose\\"?'],
    ["bound", { code: { length: { bytes: { min: 1 } } } }, "min"],
    ["preset", { code: { preset: "strict" } }, "adapted"],
    ["empty threshold", { code: { length: { bytes: {} } } }, "null switches the rule off"],
    ["impossible threshold", { code: { length: { bytes: { minimum: 2, maximum: 1 } } } }, "no value could pass"],
    ["number that is none", { code: { length: { bytes: { minimum: Number.NaN } } } }, "NaN"],
  ])("names what is wrong with a %s", (_, input, message) => {
    expect(() => filterSettings.parse(input)).toThrow(message);
  });

  it("completes and checks the names in the editor", () => {
    const input: z.input<typeof filterSettings> = {
      prose: { preset: "published", "gopher-quality": { words: { minimum: 100 } } },
      // @ts-expect-error: c4 has no measure of this name
      code: { c4: { sentence: null } },
    };
    expect(() => filterSettings.parse(input)).toThrow("sentences");
  });

  it("describes itself as a JSON schema, for help and completion", () => {
    const schema = JSON.stringify(z.toJSONSchema(filterSettings, { io: "input" }));
    expect(schema).toContain("share of lines that end in punctuation");
    expect(schema).toContain("Rae et al. 2021");
  });

  it("survives a round trip through JSON", () => {
    const settings = filterSettings.parse({ prose: { fineweb: null, c4: { sentences: { minimum: 0 } } } });
    expect(filterSettings.parse(JSON.parse(JSON.stringify(settings)))).toEqual(settings);
  });
});

describe("filterCatalogue", () => {
  const published = (filter: string) =>
    Object.fromEntries(
      filterCatalogue.find(({ name }) => name === filter)?.measures.map(({ name, threshold }) => [name, threshold]) ??
        [],
    );

  it("holds the thresholds that the papers published", () => {
    // ANCHORS.md, Filters.
    expect(published("gopher-quality")).toEqual({
      words: "50–100000",
      meanWordLength: "3–10",
      hashesPerWord: "at most 0.1",
      ellipsesPerWord: "at most 0.1",
      bulletLines: "at most 0.9",
      ellipsisLines: "at most 0.3",
      alphabeticWords: "at least 0.8",
      stopWords: "at least 2",
    });
    expect(Object.values(published("gopher-repetition"))).toEqual(
      [0.3, 0.3, 0.2, 0.2, 0.2, 0.18, 0.16, 0.15, 0.14, 0.13, 0.12, 0.11, 0.1].map((value) => `at most ${value}`),
    );
    expect(Object.values(published("fineweb"))).toEqual([
      "at least 0.12",
      "at most 0.67",
      "at most 0.01",
      "at most 0.3",
    ]);
    expect(published("c4")).toMatchObject({
      sentences: "at least 5",
      longestWord: "at most 1000",
      loremIpsum: "at most 0",
      curlyBraces: "at most 0",
    });
    expect(published("code-quality")).toMatchObject({
      meanLineLength: "at most 100",
      longestLine: "at most 1000",
      alphanumericShare: "at least 0.25",
    });
  });

  it("names each measure that is stored, and a reason for each deviation", () => {
    const names = filterCatalogue.flatMap(({ name, measures }) => measures.map((measure) => `${name}.${measure.name}`));
    expect(names).toEqual(Object.keys(measureDocument("", "prose")));
    const deviations = filterCatalogue.flatMap(({ measures }) => measures.flatMap((measure) => measure.deviations));
    expect(deviations.length).toBeGreaterThan(10);
    for (const { reason } of deviations) expect(reason.length).toBeGreaterThan(20);
  });
});

describe("toxicity and boilerplate", () => {
  it("counts profane words of running text, and none of code", () => {
    const value = (text: string, kind: DocumentKind) => measureDocument(text, kind)["toxicity.profaneWords"];
    expect(value("That bloody asshole, what a bastard. Asshole!", "web")).toBeGreaterThanOrEqual(2);
    expect(value("Kill the child process; the master branch and its slave are dumb, chunky and on hold.", "web")).toBe(
      0,
    );
    expect(value("asshole", "code")).toBe(0);
    expect(measureDocument("", "web")["toxicity.profaneShare"]).toBe(0);
  });

  it("counts lines about the page and licence notices of sources", () => {
    const page = "Skip to content\nSign in\nThe plough turns the soil, and the harrow breaks it.\nAll rights reserved";
    expect(measureDocument(page, "web")["boilerplate.boilerplateLines"]).toBe(0.75);
    const notice = "/* Copyright 2026 A. Licensed under MIT. */\n";
    expect(measureDocument(`${notice}x`, "code")["boilerplate.licenceHead"]).toBeCloseTo(
      notice.length / (notice.length + 1),
      1,
    );
    expect(measureDocument("/* A parser. */\nx", "code")["boilerplate.licenceHead"]).toBe(0);
  });
});
