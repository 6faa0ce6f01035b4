/** A model as tasks see it: it says how likely answers are, and writes them. */
import type { Engine } from "../../engine/index.ts";
import { type ProgressListener, UsageError } from "../../foundation/index.ts";
import type { LanguageModel } from "../../models/index.ts";
import type { Vocabulary } from "../../objectives/index.ts";
import { type CompletionOptions, completeGreedily, type WritingTokenizer } from "./completions.ts";
import type { Choice } from "./item.ts";
import { type ContinuationScore, scoreContinuations } from "./likelihood.ts";
import { type Masking, scorePseudoLikelihoods } from "./pseudo-likelihood.ts";

export interface Respondent {
  /** In the order of the choices; with `greedy`, also whether the model would have written them itself. */
  likelihoods(choices: readonly Choice[], options: { readonly greedy: boolean }): Promise<ContinuationScore[]>;
  /** What it writes after each context, in their order. */
  completions(
    contexts: readonly string[],
    options: Pick<CompletionOptions, "until" | "maximumTokens">,
  ): Promise<string[]>;
}

export interface RespondentOptions {
  /** How encoders hide tokens; one by one if left out. Decoders need none. */
  readonly masking?: Masking;
  readonly onProgress?: ProgressListener;
}

/** A decoder answers by likelihoods and in writing; an encoder by pseudo-likelihoods alone, and says so where more is asked. */
export function respondentOf(
  engine: Engine,
  model: LanguageModel,
  tokenizer: WritingTokenizer,
  vocabulary: Vocabulary,
  { masking = "token", onProgress }: RespondentOptions = {},
): Respondent {
  const { family, name } = model.architecture;
  if (family === "decoder") {
    return {
      likelihoods: (choices, { greedy }) =>
        scoreContinuations(engine, model, tokenizer, choices, { greedy, onProgress }),
      completions: (contexts, options) =>
        completeGreedily(engine, model, tokenizer, contexts, { ...options, onProgress }),
    };
  }
  const refuse = () =>
    new UsageError(`a ${name} does not write text, and this task asks for it`, {
      remedy: "Give a task whose answers are chosen, such as blimp or multiple-choice, or a model that writes.",
    });
  return {
    likelihoods(choices, { greedy }) {
      if (greedy) throw refuse();
      return scorePseudoLikelihoods(engine, model, tokenizer, vocabulary, choices, { masking, onProgress });
    },
    completions() {
      throw refuse();
    },
  };
}
