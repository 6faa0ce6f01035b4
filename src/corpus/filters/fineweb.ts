import { atLeast, atMost, defineFilter, share } from "./define.ts";
import { repeatedLines } from "./lines.ts";

const shortLineCharacters = 30;
const closingMarks = "\"'”’)]*_`»";
/** Sentence-final marks of the scripts that the identifier knows. */
const finalMarks = ".!?:;。！？…।؟۔။។";

/** FineWeb's own rules, which look at the shape of lines. */
export const fineweb = defineFilter({
  name: "fineweb",
  kinds: ["web", "prose"],
  source:
    "Penedo et al. 2024 (FineWeb); docs/data/filters.md lists where counting differs from datatrove. A last mark is tested by itself, so that repeated marks count; closing quotes, brackets and emphasis are looked behind.",
  measures: {
    punctuatedLines: "share of lines that end in punctuation",
    shortLines: "share of lines of at most 30 characters",
    duplicateLineCharacters: "share of characters in lines that occurred before",
    newlinesPerWord: "line breaks a word",
  },
  thresholds: {
    punctuatedLines: atLeast(0.12),
    shortLines: atMost(0.67),
    duplicateLineCharacters: atMost(0.01),
    newlinesPerWord: atMost(0.3),
  },
  deviations: {
    prose: {
      punctuatedLines: {
        threshold: null,
        reason: "headings, list items and changelog entries end without a full stop: 0.12 rejects whole changelogs",
      },
      shortLines: { threshold: atMost(0.8), reason: "lists of names and options have short lines" },
      duplicateLineCharacters: {
        threshold: null,
        reason: "0.01 rejects changelogs for their repeated headings; gopher-repetition judges the same share at 0.2",
      },
      newlinesPerWord: { threshold: atMost(0.5), reason: "headings and lists break lines more often than paragraphs" },
    },
  },
  measure: ({ prose }) => {
    const { text, lines, words } = prose;
    let punctuated = 0;
    let short = 0;
    for (let line = 0; line < lines.count; line++) {
      const start = lines.starts[line];
      let last = lines.ends[line] - 1;
      if (last - start + 1 <= shortLineCharacters) short++;
      while (last > start && closingMarks.includes(text[last])) last--;
      if (finalMarks.includes(text[last])) punctuated++;
    }
    return {
      punctuatedLines: share(punctuated, lines.count),
      shortLines: share(short, lines.count),
      duplicateLineCharacters: share(repeatedLines(prose).duplicateLineCharacters, prose.characters),
      newlinesPerWord: share(Math.max(0, prose.allLines - 1), words.count),
    };
  },
});
