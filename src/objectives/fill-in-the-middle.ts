/** Fill in the middle (Bavarian et al. 2022): documents rearranged so that a left-to-right model learns to fill a gap. */
import { z } from "zod";
import { type Random, settingsObject } from "../foundation/index.ts";
import { specialToken, type Vocabulary } from "./objective.ts";

/** Settings; a rate of 0 leaves every document as it is. */
export const fillInTheMiddleSettings = settingsObject("fillInTheMiddle", {
  rate: z.number().min(0).max(1).default(0.5).describe("share of documents that are rearranged"),
  suffixFirstShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("of those, the share as suffix, prefix, middle (SPM) instead of prefix, suffix, middle (PSM)"),
});

/** StarCoder's names. */
export const fillInTheMiddleTokens = ["<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"] as const;

/**
 * The window with some of its documents rearranged, cut to its length: <prefix> P <suffix> S <middle> M, or
 * <prefix> <suffix> S <middle> P M. A document's opening end-of-text token stays in front of it.
 */
export function rearranged(
  window: Int32Array,
  vocabulary: Vocabulary,
  settings: z.infer<typeof fillInTheMiddleSettings>,
  random: Random,
): Int32Array {
  const [prefix, middle, suffix] = fillInTheMiddleTokens.map((text) => specialToken(vocabulary, text, "next-token"));
  const out: number[] = [];
  for (let start = 0; start < window.length && out.length < window.length; ) {
    if (window[start] === vocabulary.endOfText) {
      out.push(window[start++]);
      continue;
    }
    const end = window.indexOf(vocabulary.endOfText, start);
    const document = window.subarray(start, end === -1 ? window.length : end);
    start += document.length;
    // Drawn for every document, so that one's length does not move the others' chances.
    const [chosen, suffixFirst] = [random.uniform() < settings.rate, random.uniform() < settings.suffixFirstShare];
    const [first, second] = [random.below(document.length + 1), random.below(document.length + 1)].sort(
      (a, b) => a - b,
    );
    if (!chosen || document.length < 3) {
      for (const token of document) out.push(token);
      continue;
    }
    const parts = [document.subarray(0, first), document.subarray(first, second), document.subarray(second)];
    if (suffixFirst) out.push(prefix, suffix, ...parts[2], middle, ...parts[0], ...parts[1]);
    else out.push(prefix, ...parts[0], suffix, ...parts[2], middle, ...parts[1]);
  }
  return Int32Array.from(out.slice(0, window.length));
}
