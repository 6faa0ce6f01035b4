import { cuss } from "cuss";
import { atMost, defineFilter, share } from "./define.ts";

/** Of cuss's ratings (0 unlikely, 1 maybe, 2 likely meant as profanity) only the last counts. */
const likely = 2;
/** Rated as likely, and yet ordinary words of technical and everyday writing. */
const ordinary = new Set(
  "beanbag beanbags chunky chug chugs dink dinks dipstick dope dragqueen dumb flange fu faeces gables geezer bong bung bluegum bogan buffies carruth cooly dix dong ero fok moky nip orga pocha pom poms puss slave weenie yank".split(
    " ",
  ),
);

const profane = new Set(
  Object.entries(cuss).flatMap(([word, rating]) =>
    rating === likely && !word.includes(" ") && !ordinary.has(word) ? [word] : [],
  ),
);
const wordPattern = /[a-z][a-z'’-]*/g;

/** Words of a text, and those among them that are likely meant as profanity. */
export function profanityOf(text: string): { readonly words: number; readonly profane: number } {
  let words = 0;
  let found = 0;
  for (const [word] of text.toLowerCase().matchAll(wordPattern)) {
    words++;
    if (profane.has(word)) found++;
  }
  return { words, profane: found };
}

/**
 * Profanity by word list. A list knows words, not meaning: it misses insults in ordinary words and other languages, and
 * counts quotations, names and reclaimed words. For more, train a classifier and filter by its score.
 */
export const toxicity = defineFilter({
  name: "toxicity",
  kinds: ["web", "prose", "caption"],
  source:
    "word list of cuss 2 (MIT), English, rated as likely profane, less some ordinary words; thresholds are Tilth's. C4 drops a page for a single word of its list, which is known to remove writing about health and about minorities.",
  measures: {
    profaneWords: "words that are likely meant as profanity",
    profaneShare: "share of words that are",
  },
  thresholds: { profaneShare: atMost(0.01) },
  deviations: {
    caption: { profaneShare: { threshold: atMost(0), reason: "a caption has a dozen words: one of them is a tenth" } },
  },
  measure: ({ text, kind }) => {
    if (kind === "code" || kind === "declarations" || kind === "data") return { profaneWords: 0, profaneShare: 0 };
    const { words, profane: found } = profanityOf(text);
    return { profaneWords: found, profaneShare: share(found, words) };
  },
});
