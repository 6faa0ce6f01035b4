import { eld } from "eld/small";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { identifyLanguage, languageRejection, languageSettings } from "../../src/corpus/language/index.ts";
import { knownLanguages } from "../../src/corpus/language/languages.ts";
import { secondOpinion } from "../../src/corpus/language/second-opinion.ts";

const settings = languageSettings.parse({});
const english = "A parser reads the text from left to right and builds a tree, which the compiler then walks twice. ";
const german =
  "Der Übersetzer liest den Text von links nach rechts und baut daraus einen Baum, den er zweimal durchläuft. ";

describe("identifyLanguage", () => {
  it.each([
    ["en", english],
    ["de", german],
    ["fr", "L'analyseur lit le texte de gauche à droite et construit un arbre que le compilateur parcourt ensuite."],
    ["es", "El analizador lee el texto de izquierda a derecha y construye un árbol que el compilador recorre después."],
    ["ru", "Анализатор читает текст слева направо и строит дерево, которое затем дважды обходит компилятор."],
    ["zh", "解析器从左到右读取文本并构建一棵树,然后编译器会遍历它两次,以生成机器代码。"],
    ["ja", "パーサーはテキストを左から右へ読み取り、コンパイラが後でたどる木を構築します。"],
  ])("tells %s", (language, text) => {
    const found = identifyLanguage(text);
    expect(found.language).toBe(language);
    expect(found.score).toBeGreaterThan(0.65);
    expect(found.score).toBeLessThanOrEqual(1);
  });

  it("scores a long document by the share that is in the language", () => {
    const mixed = identifyLanguage(english.repeat(100) + german.repeat(100));
    expect(mixed.score).toBeGreaterThan(0.4);
    expect(mixed.score).toBeLessThan(0.65);
    expect(identifyLanguage(english.repeat(200)).score).toBeGreaterThan(0.95);
  });

  it("looks past code, links and markup", () => {
    const readme = `# Werkzeug\n\n[![build](https://img.example.org/build.svg)](https://ci.example.org/build)\n\n\`\`\`js\n${"const parser = createParser(options); // read the text from the file and return the tree\n".repeat(15)}\`\`\`\n\n${german.repeat(2)}`;
    expect(identifyLanguage(readme).language).toBe("de");
  });

  it("takes a code file's language from its comments", () => {
    const code =
      '// Liest die Datei und gibt den Baum zurück, der daraus entsteht.\n/* Wirft einen Fehler, wenn die Datei nicht gelesen werden kann. */\nexport function readTree(path: string): Tree { return parse(readFileSync(path, "utf8")); }\n';
    expect(identifyLanguage(code, "code").language).toBe("de");
    expect(identifyLanguage("export const the_answer_that_we_have_been_looking_for = 42;\n", "code")).toEqual({
      language: "und",
      score: 0,
    });
  });

  it.each([
    ["nothing", ""],
    ["a word", "hello"],
    ["code alone", "```js\nconst thisIsOnlyCode = await import('somewhere-else-entirely');\n```\n"],
    ["numbers", "1 2 3 4 5 6 7 8 9 10 ".repeat(50)],
    ["a link", "https://example.org/a-path-with-many-english-words-that-mean-nothing-here"],
  ])("does not guess from %s", (_, text) => expect(identifyLanguage(text)).toEqual({ language: "und", score: 0 }));

  it("asks a second identifier where the score is low, and only there", () => {
    const mixed = english.repeat(100) + german.repeat(80);
    const unsure = identifyLanguage(mixed, "prose", settings);
    expect(unsure).toMatchObject({ language: "en", second: { language: "en" } });
    expect(unsure.second?.score).toBeGreaterThan(0.4);
    expect(unsure).toEqual(identifyLanguage(mixed, "prose", settings));
    expect(identifyLanguage(english.repeat(200), "prose", settings).second).toBeUndefined();
    expect(identifyLanguage(mixed).second).toBeUndefined();
  });

  it("gives a score between 0 and 1 for any text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 400 }),
        fc.constantFrom("prose" as const, "code" as const),
        (text, kind) => {
          const { language, score, second } = identifyLanguage(text, kind, settings);
          if (second !== undefined) expect(second.language === "und").toBe(second.score === 0);
          expect(score).toBeGreaterThanOrEqual(0);
          expect(score).toBeLessThanOrEqual(1);
          expect(language === "und").toBe(score === 0);
        },
      ),
    );
  });
});

describe("languageRejection", () => {
  it("rejects prose in another language, or too uncertain, and names both", () => {
    expect(languageRejection("prose", { language: "en", score: 0.65 }, settings)).toBeUndefined();
    expect(languageRejection("prose", { language: "de", score: 0.99 }, settings)).toEqual({
      stage: "language",
      rule: "language.accepted",
      value: "de",
      expected: "en",
    });
    expect(languageRejection("prose", { language: "en", score: 0.64 }, settings)).toMatchObject({
      rule: "language.minimumScore",
      value: 0.64,
      expected: "at least 0.65",
    });
  });

  it("takes less of a score where a second identifier agrees, and no less where it does not", () => {
    const english = (score: number, second: string) =>
      languageRejection("prose", { language: "en", score, second: { language: second, score: 1 } }, settings)?.rule;
    expect(english(0.45, "en")).toBeUndefined();
    expect(english(0.39, "en")).toBe("language.agreedMinimumScore");
    expect(english(0.45, "de")).toBe("language.minimumScore");
    expect(english(0.7, "de")).toBeUndefined();
  });

  it("does not judge code by its comments", () => {
    for (const kind of ["code", "declarations", "data"] as const)
      expect(languageRejection(kind, { language: "de", score: 1 }, settings)).toBeUndefined();
  });

  it("leaves prose of unknown language to the other filters unless told otherwise", () => {
    expect(languageRejection("prose", { language: "und", score: 0 }, settings)).toBeUndefined();
    const strict = languageSettings.parse({ acceptUndetermined: false });
    expect(languageRejection("prose", { language: "und", score: 0 }, strict)?.rule).toBe("language.undetermined");
  });
});

describe("languageSettings", () => {
  it("knows the languages of both identifiers", () => {
    for (const [text, language] of [
      ["これは日本語の文章です。構文解析器は文を左から右へ読みます。", "ja"],
      [english, "en"],
      [german, "de"],
    ] as const) {
      expect(secondOpinion([text])).toEqual({ language, score: 1 });
    }
    expect([...knownLanguages].sort()).toEqual(Object.values(eld.info().Languages).sort());
  });

  it("rejects a code that the identifier can never answer", () => {
    expect(() => languageSettings.parse({ accepted: ["eng"] })).toThrow('\\"eng\\" is not a language');
    expect(() => languageSettings.parse({ accepted: [] })).toThrow();
    expect(() => languageSettings.parse({ minimumscore: 0.5 })).toThrow("minimumscore");
  });
});
