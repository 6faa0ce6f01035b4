/** Best of n without a reward model: several answers to each prompt, ranked by what two checkpoints, or one, say of them. */
import { type Continuation, logProbabilities, textOf } from "../adaptation/index.ts";
import type { Progress } from "../foundation/index.ts";
import { generateBatch } from "../generation/index.ts";
import { type ChatOptions, chatTemplateFor, referenceFor, requireDecoder } from "./adapt-chat.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface BestOfInput {
  readonly checkpoint: string;
  /** With one: ranked by the implicit reward log π/π_ref (Rafailov et al. 2023); else by mean log-likelihood a token. */
  readonly reference?: string;
  readonly prompts: readonly string[];
  readonly chat: Pick<ChatOptions, "template">;
  readonly answers: number;
  readonly temperature: number;
  readonly topP: number;
  readonly maximumTokens: number;
  readonly seed: number;
  readonly device: DeviceOptions;
}

/** Answers to one prompt, best first. */
export interface RankedAnswers {
  readonly prompt: string;
  readonly answers: readonly { readonly response: string; readonly score: number; readonly tokens: number }[];
}

export const bestOfJob: Job<BestOfInput, Progress, RankedAnswers[]> = {
  name: "best-of",
  async run(input, { emit, shouldStop }) {
    const backend = await openDevice(input.device, () => {});
    try {
      const loaded = loadModel(input.checkpoint, backend);
      requireDecoder(loaded);
      const { engine, model, tokenizer } = loaded;
      const reference = input.reference === undefined ? undefined : referenceFor(input.reference, backend, loaded);
      const template = chatTemplateFor(input.checkpoint, { ...input.chat, answerTokens: 0 }, tokenizer);
      const ranked: RankedAnswers[] = [];
      for (const [index, prompt] of input.prompts.entries()) {
        const ids = tokenizer.encode(template.prompt([{ role: "user", content: prompt }]), { allowSpecial: true });
        const before = ids[0] === tokenizer.endOfText ? ids : Int32Array.of(tokenizer.endOfText, ...ids);
        const answers: number[][] = Array.from({ length: input.answers }, () => []);
        const options = {
          ...input,
          topK: 0,
          seed: input.seed + index * input.answers,
          endOfText: tokenizer.endOfText,
          vocabularySize: tokenizer.vocabularySize,
          shouldStop,
        };
        for await (const { prompt: at, token } of generateBatch(
          engine,
          model,
          answers.map(() => before),
          options,
        )) {
          answers[at].push(token);
        }
        const given = answers.map(
          (answer): Continuation => ({
            tokens: Int32Array.of(...before, ...answer, tokenizer.endOfText),
            from: before.length,
          }),
        );
        const own = await logProbabilities(engine, model, given);
        const theirs = reference && (await logProbabilities(reference.engine, reference.model, given));
        ranked.push({
          prompt,
          answers: answers
            .map((answer, at) => ({
              response: textOf(tokenizer, answer),
              score: theirs === undefined ? own[at] / (answer.length + 1) : own[at] - theirs[at],
              tokens: answer.length,
            }))
            .sort((a, b) => b.score - a.score),
        });
        emit({ stage: "answering", done: index + 1, total: input.prompts.length, unit: "prompts" });
      }
      return ranked;
    } finally {
      backend.dispose();
    }
  },
};
