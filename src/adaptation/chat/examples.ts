/** Conversations as tokens with losses on the assistant's words only. */
import type { Tokenizer } from "../../tokenizer/index.ts";
import { maskedFrom } from "../examples/index.ts";
import type { MaskedExample } from "../packing.ts";
import type { ChatMessage } from "./messages.ts";
import type { ChatTemplate, RenderedChat } from "./template.ts";

/** Tokens of a conversation, and whether the assistant says each: as transformers' `return_assistant_tokens_mask` has it. */
export function assistantTokens(
  tokenizer: Tokenizer,
  { text, spans }: RenderedChat,
): { readonly ids: Int32Array; readonly isAssistant: readonly boolean[] } {
  const encode = (part: string) => tokenizer.encode(part, { allowSpecial: true });
  const ids = encode(text);
  /** The token that holds the character before (`end`) or at (`start`) a place: the tokens up to it are those of the text up to it. */
  const tokensBefore = (place: number) => {
    const prefix = encode(text.slice(0, place));
    const same = prefix.findIndex((id, index) => id !== ids[index]);
    return { count: same === -1 ? prefix.length : same, isExact: same === -1 };
  };
  const isAssistant = Array.from(ids, () => false);
  for (const [from, to] of spans) {
    const end = tokensBefore(to);
    // A token that reaches beyond the assistant's words is counted, since it begins in them.
    isAssistant.fill(true, tokensBefore(from).count, end.isExact ? end.count : end.count + 1);
  }
  return { ids, isAssistant };
}

/** A conversation cut to `length` tokens. */
export function chatExample(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  length: number,
): MaskedExample {
  const { ids, isAssistant } = assistantTokens(tokenizer, template.render(messages));
  return maskedFrom([...ids], (position) => isAssistant[position], length);
}
