/**
 * What the word list tells of offensive talk: on the conversations of Bai et al. 2022 (harmless), which people led to provoke an
 * assistant, beside what bank customers ask (Casanueva et al. 2020). TILTH_PREFERENCES and TILTH_QUESTIONS name the two files.
 */
import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";
import { expect, it } from "vitest";
import { evaluateScores } from "../../src/corpus/classifier/evaluate.ts";
import { measureDocument } from "../../src/corpus/filters/index.ts";
import { toxicity } from "../../src/corpus/filters/toxicity.ts";

const { TILTH_PREFERENCES: preferences, TILTH_QUESTIONS: questions } = process.env;
const missing = preferences === undefined || questions === undefined;

const mostAllowed = toxicity.thresholds.profaneShare!.maximum!;
const score = (text: string) => measureDocument(text, "web")["toxicity.profaneShare"];
const jsonLines = <Row>(file: string) =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
/** What one side says, turn by turn. */
const turnsOf = (conversation: string, side: "Human" | "Assistant") =>
  conversation
    .split(/\n\n(?=(?:Human|Assistant): )/)
    .filter((turn) => turn.startsWith(`${side}: `))
    .map((turn) => turn.slice(side.length + 2));

it.skipIf(missing)("finds few provocations and few worse answers, and is mostly right where it finds one", () => {
  const pairs = jsonLines<{ chosen: string; rejected: string }>(preferences!);
  const answers = pairs.flatMap(({ chosen, rejected }) =>
    [chosen, rejected].map((one, side) => ({ text: turnsOf(one, "Assistant").at(-1)!, worse: side === 1 })),
  );
  const ordinary = parse<{ text: string }>(readFileSync(questions!), { columns: true }).map(({ text }) => text);
  const provocations = [...new Set(pairs.map(({ chosen }) => turnsOf(chosen, "Human").join("\n")))];
  const conversations = [...new Set(pairs.map(({ chosen }) => chosen))];
  const show = (what: string, texts: readonly string[], positive: readonly boolean[]) => {
    const { precision, recall, auc } = evaluateScores(texts.map(score), positive, { threshold: mostAllowed + 1e-9 });
    const shown = Object.entries({ precision, recall, auc }).map(
      ([name, { value, low, high }]) => `${name} ${value.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`,
    );
    console.log(
      `${what}: ${positive.filter(Boolean).length} + ${positive.filter((one) => !one).length}, ${shown.join(", ")}`,
    );
    return { precision, recall, auc };
  };
  const beside = (texts: readonly string[]) =>
    [
      [...texts, ...ordinary],
      [...texts.map(() => true), ...ordinary.map(() => false)],
    ] as const;
  const worse = show(
    "worse against better answers",
    answers.map(({ text }) => text),
    answers.map((one) => one.worse),
  );
  expect(worse.precision.low).toBeGreaterThan(0.5);
  const provoked = show("what people say against questions", ...beside(provocations));
  expect(provoked.precision.value).toBeGreaterThan(0.9);
  show("whole conversations against questions", ...beside(conversations));
  console.log(
    `questions rejected: ${ordinary.filter((text) => score(text) > mostAllowed).length} of ${ordinary.length}`,
  );
});
