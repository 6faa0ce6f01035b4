/** Pairs of responses of which one was preferred, read and checked. */
import { z } from "zod";
import { TilthError } from "../../foundation/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { ChatMessage, ChatTemplate } from "../chat/index.ts";
import type { Continuation } from "../log-probabilities.ts";

/** A prompt with two responses, as text that a model reads. */
export interface PreferencePair {
  readonly prompt: string;
  readonly chosen: string;
  readonly rejected: string;
}

const turns = z.array(z.looseObject({ role: z.enum(["system", "user", "assistant"]), content: z.string() })).min(1);
const row = z.looseObject({
  prompt: z.union([z.string(), turns]).optional(),
  chosen: z.union([z.string().min(1, "is empty"), turns]),
  rejected: z.union([z.string().min(1, "is empty"), turns]),
});

/** Where the last answer of a conversation in plain text begins (hh-rlhf). */
const answerMark = "\n\nAssistant:";

/**
 * Rows as pairs: `prompt`, `chosen` and `rejected` as texts, or as lists of messages, which the template renders; without a prompt
 * the two are whole conversations that share all but the last answer. Throws TilthError naming file and row.
 */
export function preferencePairs(rows: readonly unknown[], file: string, template: ChatTemplate): PreferencePair[] {
  if (rows.length === 0) throw new TilthError(`${file} holds no preference pairs`, { remedy: "Give at least two." });
  return rows.map((one, index) => {
    const where = `${file}, row ${index + 1}`;
    const result = row.safeParse(one);
    if (!result.success) {
      const [{ path, message }] = result.error.issues;
      throw new TilthError(`${where}: ${path.join(".")}: ${message}`, {
        remedy: 'Every row is {"prompt", "chosen", "rejected"}, or {"chosen", "rejected"} of whole conversations.',
      });
    }
    const pair = pairOf(result.data, where, template);
    if (pair.chosen === pair.rejected) {
      throw new TilthError(`${where}: the chosen response is the rejected one: "${pair.chosen.slice(0, 60)}"`, {
        remedy: "Take the row out: it says nothing about which is better.",
      });
    }
    return pair;
  });
}

function pairOf(
  { prompt, chosen, rejected }: z.output<typeof row>,
  where: string,
  template: ChatTemplate,
): PreferencePair {
  if (typeof chosen === "string" && typeof rejected === "string") {
    if (typeof prompt === "string") return { prompt, chosen, rejected };
    if (prompt !== undefined) {
      const before = template.prompt(prompt);
      const whole = (content: string) => template.prompt([...prompt, { role: "assistant", content }], false);
      return { prompt: before, chosen: after(whole(chosen), before), rejected: after(whole(rejected), before) };
    }
    const [shared, other] = [chosen, rejected].map((text) =>
      text.slice(0, text.lastIndexOf(answerMark) + answerMark.length),
    );
    if (shared === other && shared.length >= answerMark.length) {
      return { prompt: shared, chosen: chosen.slice(shared.length), rejected: rejected.slice(shared.length) };
    }
    return commonPrompt(chosen, rejected, where);
  }
  if (typeof chosen === "string" || typeof rejected === "string" || typeof prompt === "string") {
    throw new TilthError(`${where}: texts and lists of messages are mixed`);
  }
  const messages: readonly ChatMessage[] = [...(prompt ?? []), ...chosen];
  const others: readonly ChatMessage[] = [...(prompt ?? []), ...rejected];
  const before = template.prompt(messages.slice(0, -1));
  return {
    prompt: before,
    chosen: after(template.prompt(messages, false), before),
    rejected: after(template.prompt(others, false), before),
  };
}

/** Conversations that part earlier: up to the last turn that they share. */
function commonPrompt(chosen: string, rejected: string, where: string): PreferencePair {
  let same = 0;
  while (same < chosen.length && chosen[same] === rejected[same]) same += 1;
  const end = chosen.slice(0, same).lastIndexOf(answerMark);
  if (end === -1) {
    throw new TilthError(`${where}: the two conversations share no prompt up to an "Assistant:"`, {
      remedy: 'Give the prompt by itself: {"prompt", "chosen", "rejected"}.',
    });
  }
  const prompt = chosen.slice(0, end + answerMark.length);
  return { prompt, chosen: chosen.slice(prompt.length), rejected: rejected.slice(prompt.length) };
}

function after(text: string, prompt: string): string {
  return text.startsWith(prompt) ? text.slice(prompt.length) : text;
}

/** A pair as tokens. */
export interface TokenPair {
  readonly chosen: Continuation;
  readonly rejected: Continuation;
  readonly prompt: Int32Array;
}

/**
 * Prompt and response between end-of-text tokens. Longer than `length`: the prompt loses its beginning, a response beyond half of the
 * length its end.
 */
export function tokenPair(tokenizer: Tokenizer, pair: PreferencePair, length: number): TokenPair {
  const encode = (text: string) => tokenizer.encode(text, { allowSpecial: true });
  const { endOfText } = tokenizer;
  const prompt = encode(pair.prompt);
  const [chosen, rejected] = [pair.chosen, pair.rejected].map((text) => {
    const ids = encode(text);
    const isEnded = ids.at(-1) === endOfText;
    return (isEnded ? ids : Int32Array.of(...ids, endOfText)).subarray(0, Math.floor(length / 2));
  });
  const room = length - 1 - Math.max(chosen.length, rejected.length);
  const kept = prompt.subarray(Math.max(0, prompt.length - room));
  const before = kept[0] === endOfText ? kept : Int32Array.of(endOfText, ...kept);
  const continuation = (ids: Int32Array): Continuation => ({
    tokens: Int32Array.of(...before, ...ids),
    from: before.length,
  });
  return { chosen: continuation(chosen), rejected: continuation(rejected), prompt: before };
}
