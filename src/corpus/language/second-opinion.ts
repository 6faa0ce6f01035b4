/** A second identifier (franc: trigrams, MIT) for texts of which the first is not sure. */
import { franc } from "franc";

/** franc's ISO 639-3 codes as the first identifier's ISO 639-1; no other languages are asked for. */
const codes: Readonly<Record<string, string>> = {
  ...{ amh: "am", arb: "ar", azj: "az", bel: "be", bul: "bg", ben: "bn", cat: "ca", ces: "cs", dan: "da", deu: "de" },
  ...{ ell: "el", eng: "en", spa: "es", ekk: "et", eus: "eu", pes: "fa", fin: "fi", fra: "fr", guj: "gu", heb: "he" },
  ...{ hin: "hi", hrv: "hr", hun: "hu", hye: "hy", isl: "is", ita: "it", jpn: "ja", kat: "ka", kan: "kn", kor: "ko" },
  ...{ kmr: "ku", lao: "lo", lit: "lt", lvs: "lv", mal: "ml", mar: "mr", zlm: "ms", nld: "nl", nob: "no", ory: "or" },
  ...{ pan: "pa", pol: "pl", por: "pt", ron: "ro", rus: "ru", slk: "sk", slv: "sl", als: "sq", srp: "sr", swe: "sv" },
  ...{ tam: "ta", tel: "te", tha: "th", tgl: "tl", tur: "tr", ukr: "uk", urd: "ur", vie: "vi", yor: "yo", cmn: "zh" },
};
const only = Object.keys(codes);

/**
 * The language that most of the samples' text is in, and the share of the text that is: samples for which the
 * identifier has no answer count as another language. `und`, 0 where it has none at all.
 */
export function secondOpinion(samples: readonly string[]): { language: string; score: number } {
  const letters = new Map<string, number>();
  let all = 0;
  for (const sample of samples) {
    const language = codes[franc(sample, { only, minLength: 1 })];
    all += sample.length;
    if (language !== undefined) letters.set(language, (letters.get(language) ?? 0) + sample.length);
  }
  let best = { language: "und", score: 0 };
  for (const [language, count] of letters) if (count / all > best.score) best = { language, score: count / all };
  return best;
}
