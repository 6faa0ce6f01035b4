/** Filters counted as datatrove counts them, decision for decision, where a kind of document asks for it. */
import { c4 } from "./c4.ts";
import { fineweb } from "./fineweb.ts";
import { gopherQuality } from "./gopher-quality.ts";
import { gopherRepetition } from "./gopher-repetition.ts";
import { datatroveText } from "./text.ts";

const counts = { "gopher-quality": gopherQuality, "gopher-repetition": gopherRepetition, fineweb, c4 } as const;

/** The values of the filters that datatrove has, by filter and measure. English, whatever the language of the text. */
export function measureAsDatatrove(text: string): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const counted = datatroveText(text);
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count(counted)]));
}
