/** Chat templates: Jinja as Hugging Face's tokenizers have it, and which of the text the assistant says. */
import { Template } from "@huggingface/jinja";
import { messageOf, TilthError } from "../../foundation/index.ts";
import type { ChatMessage } from "./messages.ts";

/**
 * For tokenizers without tokens for roles: plain words for them, and the end-of-text token behind every answer. What the assistant
 * says is marked as transformers wants it for `return_assistant_tokens_mask`.
 */
export const plainTemplate = [
  "{{ bos_token }}",
  "{% for message in messages %}",
  "{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}",
  "{% elif message['role'] == 'user' %}{{ '### User:\\n' + message['content'] + '\\n\\n' }}",
  "{% else %}{{ '### Assistant:\\n' }}{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}{% endif %}",
  "{% endfor %}",
  "{% if add_generation_prompt %}{{ '### Assistant:\\n' }}{% endif %}",
].join("");

/** A conversation as text, and the stretches [from, to) of characters that the assistant says. */
export interface RenderedChat {
  readonly text: string;
  readonly spans: readonly (readonly [number, number])[];
}

// Characters of a private use area, which no text has: they mark the assistant's words while a template is rendered.
const [opening, closing] = ["\uE0F0", "\uE0F1"];
const generationTag = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;

/** A template that can be rendered. */
export class ChatTemplate {
  private readonly plain: Template;
  private readonly marked: Template | undefined;

  /** Throws TilthError where the source is no Jinja that the library reads. `where`: the file, for messages. */
  constructor(
    readonly source: string,
    private readonly special: { readonly bos_token: string; readonly eos_token: string },
    private readonly where = "the chat template",
  ) {
    const markers = source.replace(generationTag, (_tag, left: string, end: string | undefined, right: string) => {
      // Blocks on both sides, so that whitespace around the tag is treated as around any other.
      return `{%${left} if true %}{{ '${end === undefined ? opening : closing}' }}{% endif ${right}%}`;
    });
    this.plain = this.attempt(() => new Template(source));
    this.marked = markers === source ? undefined : this.attempt(() => new Template(markers));
  }

  /** The text of a conversation, up to where the assistant would go on with `addGenerationPrompt`. */
  prompt(messages: readonly ChatMessage[], addGenerationPrompt = true): string {
    return this.renderWith(this.plain, messages, addGenerationPrompt);
  }

  /**
   * A conversation with the assistant's words: what `{% generation %}` encloses, or in a template without it, what each of the
   * assistant's messages adds to the text before it.
   */
  render(messages: readonly ChatMessage[]): RenderedChat {
    return this.marked === undefined ? this.renderByPrefixes(messages) : this.renderMarked(this.marked, messages);
  }

  private renderMarked(template: Template, messages: readonly ChatMessage[]): RenderedChat {
    const marked = this.renderWith(template, messages, false);
    const spans: [number, number][] = [];
    let text = "";
    let start = 0;
    for (const part of marked.split(new RegExp(`([${opening}${closing}])`))) {
      if (part === opening) start = text.length;
      else if (part === closing) spans.push([start, text.length]);
      else text += part;
    }
    return { text, spans };
  }

  private renderByPrefixes(messages: readonly ChatMessage[]): RenderedChat {
    const text = this.renderWith(this.plain, messages, false);
    const spans = messages.flatMap(({ role }, index) => {
      if (role !== "assistant") return [];
      const before = this.renderWith(this.plain, messages.slice(0, index), true);
      const until = this.renderWith(this.plain, messages.slice(0, index + 1), false);
      if (!until.startsWith(before) || !text.startsWith(until)) {
        throw new TilthError(`${this.where} writes earlier messages otherwise once an answer follows`, {
          remedy: "Enclose the assistant's words in {% generation %} … {% endgeneration %}.",
        });
      }
      return [[before.length, until.length] as const];
    });
    return { text, spans };
  }

  private renderWith(template: Template, messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    const given = { messages: [...messages], ...this.special, add_generation_prompt: addGenerationPrompt };
    return this.attempt(() => template.render(given));
  }

  private attempt<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (cause) {
      throw new TilthError(`${this.where} cannot be used: ${messageOf(cause)}`, { cause });
    }
  }
}
