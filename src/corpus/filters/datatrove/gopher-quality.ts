import { share } from "../define.ts";
import { type DatatroveText, occurrences } from "./text.ts";
import { strip } from "./white-space.ts";

const stopWords = new Set(["the", "be", "to", "of", "and", "that", "have", "with"]);

/** Gopher's quality rules, counted as datatrove's GopherQualityFilter counts. */
export function gopherQuality({ text, words, lines }: DatatroveText) {
  let spoken = 0;
  let spokenCharacters = 0;
  let lettered = 0;
  const found = new Set<string>();
  for (const word of words) {
    if (word.spoken) {
      spoken++;
      spokenCharacters += word.characters;
    }
    if (word.hasLetter) lettered++;
    if (stopWords.has(word.text)) found.add(word.text);
  }
  let bullets = 0;
  let ellipses = 0;
  for (const line of lines) {
    const content = strip(line);
    if (content.startsWith("•") || content.startsWith("-")) bullets++;
    if (content.endsWith("...") || content.endsWith("…")) ellipses++;
  }
  return {
    words: spoken,
    meanWordLength: share(spokenCharacters, spoken),
    hashesPerWord: share(occurrences(text, "#"), words.length),
    ellipsesPerWord: share(occurrences(text, "...") + occurrences(text, "…"), words.length),
    bulletLines: share(bullets, lines.length),
    ellipsisLines: share(ellipses, lines.length),
    alphabeticWords: share(lettered, words.length),
    stopWords: found.size,
  };
}
