import { share } from "../define.ts";
import rules from "./english-rules.json" with { type: "json" };
import { codePoints, type DatatroveText, duplicates, occurrences } from "./text.ts";
import { strip } from "./white-space.ts";

const shortLineCharacters = 30;
const terminalMarks = new Set(rules.terminalMarks);

/** FineWeb's rules, counted as datatrove's FineWebQualityFilter counts. */
export function fineweb({ text, characters, words }: DatatroveText) {
  const lines = text.split("\n").filter((line) => strip(line) !== "");
  let punctuated = 0;
  let short = 0;
  for (const line of lines) {
    // A mark beyond the basic plane is two code units.
    if (terminalMarks.has(line.slice(-1)) || terminalMarks.has(line.slice(-2))) punctuated++;
    if (line.length <= shortLineCharacters || codePoints(line) <= shortLineCharacters) short++;
  }
  const newlines = occurrences(text, "\n");
  return {
    punctuatedLines: share(punctuated, lines.length),
    shortLines: share(short, lines.length),
    duplicateLineCharacters: share(duplicates(lines).characters, characters - newlines),
    newlinesPerWord: share(newlines, words.length),
  };
}
