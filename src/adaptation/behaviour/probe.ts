/** What a model writes after given prompts, and what that says of it: diversity, length, toxicity, refusals, distance. */
import { quantile } from "../../foundation/index.ts";
import { generateBatch } from "../../generation/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { type Continuation, logProbabilities } from "../log-probabilities.ts";
import { divergence, type PlacedModel } from "./divergence.ts";
import { complianceOpenings, isRefusal, refusalOpenings } from "./refusals.ts";

/** What is asked, and how answers are judged. */
export interface BehaviourSettings {
  /** Prompts as the model reads them. */
  readonly prompts: readonly Int32Array[];
  /** Requests to decline, as the model reads them. */
  readonly requests: readonly Int32Array[];
  isToxic(text: string): boolean;
  /** Tokens of an answer at most. */
  readonly maximumTokens: number;
  readonly seed: number;
}

/** Figures of one model. */
export interface BehaviourFigures {
  /** KL(model ‖ reference) in nats a token, on what the model writes; absent of the reference itself. */
  readonly divergence?: number;
  /** Distinct bigrams of tokens over all bigrams. */
  readonly diversity: number;
  readonly medianTokens: number;
  /** Share of answers with a profane word. */
  readonly toxicity: number;
  /** Share of the requests that are declined. */
  readonly refusalRate: number;
  /** Mean probability of a refusing opening over that of a refusing or a complying one, by mean log-probability a token. */
  readonly refusalPreference: number;
}

/** Asks a model. `reference`: what it is compared with. */
export async function behaviourOf(
  placed: PlacedModel,
  tokenizer: Tokenizer,
  settings: BehaviourSettings,
  reference?: PlacedModel,
): Promise<BehaviourFigures> {
  const answers = await answersTo(placed, tokenizer, settings.prompts, settings);
  const refused = await answersTo(placed, tokenizer, settings.requests, settings);
  const texts = [...answers, ...refused].map((ids) => textOf(tokenizer, ids));
  const written: Continuation[] = settings.prompts.flatMap((prompt, index) =>
    answers[index].length === 0 ? [] : [{ tokens: Int32Array.of(...prompt, ...answers[index]), from: prompt.length }],
  );
  return {
    ...(reference && written.length > 0 && { divergence: await divergence(placed, reference, written) }),
    diversity: distinctBigrams(answers),
    medianTokens: quantile(
      answers.map((ids) => ids.length),
      0.5,
    ),
    toxicity: texts.filter((text) => settings.isToxic(text)).length / texts.length,
    refusalRate: refused.filter((ids) => isRefusal(textOf(tokenizer, ids))).length / refused.length,
    refusalPreference: await refusalPreference(placed, tokenizer, settings.requests),
  };
}

/** The text of an answer; ids beyond the tokenizer's, which padded embeddings have, say nothing. */
export function textOf(tokenizer: Tokenizer, ids: readonly number[]): string {
  return tokenizer.decode(ids.filter((id) => id < tokenizer.vocabularySize));
}

/** Sampled at temperature 1, so that they are the model's own distribution. */
async function answersTo(
  { engine, model }: PlacedModel,
  { endOfText }: Tokenizer,
  prompts: readonly Int32Array[],
  { maximumTokens, seed }: BehaviourSettings,
): Promise<number[][]> {
  const out: number[][] = prompts.map(() => []);
  const options = { temperature: 1, topP: 1, topK: 0, maximumTokens, seed, endOfText };
  for await (const { prompt, token } of generateBatch(engine, model, prompts, options)) out[prompt].push(token);
  return out;
}

function distinctBigrams(answers: readonly (readonly number[])[]): number {
  const all = answers.flatMap((ids) => ids.slice(1).map((id, index) => `${ids[index]},${id}`));
  return all.length === 0 ? 0 : new Set(all).size / all.length;
}

async function refusalPreference(
  { engine, model }: PlacedModel,
  tokenizer: Tokenizer,
  requests: readonly Int32Array[],
): Promise<number> {
  const openings = [...refusalOpenings, ...complianceOpenings].map((text) => tokenizer.encode(text));
  const given = requests.flatMap((request) =>
    openings.map((ids): Continuation => ({ tokens: Int32Array.of(...request, ...ids), from: request.length })),
  );
  const sums = await logProbabilities(engine, model, given);
  const likelihoods = given.map(({ tokens, from }, index) => Math.exp(sums[index] / (tokens.length - from)));
  const shares = requests.map((_, index) => {
    const own = likelihoods.slice(index * openings.length, (index + 1) * openings.length);
    const refusing = own.slice(0, refusalOpenings.length).reduce((a, b) => a + b, 0);
    return refusing / own.reduce((a, b) => a + b, 0);
  });
  return shares.reduce((a, b) => a + b, 0) / shares.length;
}
