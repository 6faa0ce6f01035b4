/** Language identification: which language a document is in, and whether the corpus takes it. */
import { eld } from "eld/small";
import type { DocumentKind, Rejection } from "../document.ts";
import { sampleText } from "./sample.ts";
import { secondOpinion } from "./second-opinion.ts";
import type { LanguageSettings } from "./settings.ts";

export { type LanguageSettings, languageSettings } from "./settings.ts";

/** Below so many letters of running text, any answer would be a guess. */
const minimumLetters = 40;
/** ELD reads so many bytes of a text and maps the mean score x of its n-grams to x / (x + 25). */
const bytesRead = 350;
const scoreScale = 25;
/**
 * ELD scores each language by itself; their scores do not sum to 1, and those of related languages lie close together.
 * Evidence for one language over another is the difference of mean n-gram scores times the root of the length read.
 * A softmax of it at this temperature is calibrated: on 4,050 pieces of 45 to 350 characters in 12 languages, of the
 * answers near 0.65, 0.75, 0.85 and 0.99 there were 0.74, 0.79, 0.89 and 1.00 right.
 */
const temperature = 60;
/** A text in a language reaches about 0.77 (the mean ELD publishes); three quarters of it are ELD's own "reliable". */
const typicalScore = 0.77;
const reliableShare = 0.75;

/** What an identifier says of a text. */
export interface LanguageGuess {
  /** ISO 639-1, or "und". */
  readonly language: string;
  /** Between 0 and 1. */
  readonly score: number;
}

/** What is known of a text's language. */
export interface IdentifiedLanguage extends LanguageGuess {
  /** What another identifier says, where the first was not sure. */
  readonly second?: LanguageGuess;
}

/**
 * The language of a text as an ISO 639-1 code, and a score between 0 and 1: the share of the sampled text that is in
 * that language, as far as the identifier (ELD, n-grams of bytes) can tell. A text half English and half Chinese thus
 * scores 0.5. Up to eight places are sampled, without code, links and markup; a text with too little else is "und", 0.
 * Where the score is below `secondOpinionBelow`, another identifier is asked about the same samples.
 */
export function identifyLanguage(
  text: string,
  kind: DocumentKind = "prose",
  { secondOpinionBelow }: Pick<LanguageSettings, "secondOpinionBelow"> = { secondOpinionBelow: 0 },
): IdentifiedLanguage {
  const samples = sampleText(text, kind);
  const letters = samples.reduce((sum, sample) => sum + sample.length, 0);
  if (letters < minimumLetters && !samples.some(hasUnspacedScript)) return { language: "und", score: 0 };
  const totals = new Map<string, number>();
  for (const sample of samples) {
    for (const [language, probability] of probabilities(sample)) {
      totals.set(language, (totals.get(language) ?? 0) + probability * (sample.length / letters));
    }
  }
  let best: LanguageGuess = { language: "und", score: 0 };
  for (const [language, score] of totals) if (score > best.score) best = { language, score: Math.min(1, score) };
  return best.score < secondOpinionBelow ? { ...best, second: secondOpinion(samples) } : best;
}

/**
 * Why a document's language keeps it out, or undefined. Running text alone is judged: in code the language of the comments is
 * worth knowing but says nothing of the code.
 */
export function languageRejection(
  kind: DocumentKind,
  { language, score, second }: IdentifiedLanguage,
  settings: LanguageSettings,
): Rejection | undefined {
  if (kind !== "prose" && kind !== "web" && kind !== "caption") return undefined;
  if (language === "und") {
    if (settings.acceptUndetermined) return undefined;
    return {
      stage: "language",
      rule: "language.undetermined",
      value: language,
      expected: settings.accepted.join(", "),
    };
  }
  if (!settings.accepted.includes(language)) {
    return { stage: "language", rule: "language.accepted", value: language, expected: settings.accepted.join(", ") };
  }
  const agreed = second?.language === language;
  const minimum = agreed ? Math.min(settings.minimumScore, settings.agreedMinimumScore) : settings.minimumScore;
  if (score < minimum) {
    return {
      stage: "language",
      rule: agreed ? "language.agreedMinimumScore" : "language.minimumScore",
      value: score,
      expected: `at least ${minimum}`,
    };
  }
  return undefined;
}

/** The identifier's scores as probabilities; together they are below 1 where no language fits. */
function probabilities(sample: string): [language: string, probability: number][] {
  const scores = Object.entries(eld.detect(sample).getScores());
  const highest = Math.max(0, ...scores.map(([, score]) => score));
  const sharpness = Math.sqrt(Math.min(bytesRead, Buffer.byteLength(sample))) / temperature;
  const weights = scores.map(([, score]) => Math.exp((meanScore(score) - meanScore(highest)) * sharpness));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const confidence = Math.min(1, highest / (typicalScore * reliableShare));
  return scores.map(([language], index) => [language, (confidence * weights[index]) / sum]);
}

function meanScore(score: number): number {
  return (scoreScale * score) / (1 - score);
}

/** A dozen Han or kana characters say more than 40 letters of Latin script. */
function hasUnspacedScript(sample: string): boolean {
  return (sample.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu)?.length ?? 0) >= 12;
}
