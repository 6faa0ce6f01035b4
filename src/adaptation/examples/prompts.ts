/** Prompts with their responses: the loss is on the responses only. */
import { z } from "zod";
import { TilthError } from "../../foundation/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { MaskedExample } from "../packing.ts";

/** A prompt and what should follow. */
export interface PromptResponse {
  readonly prompt: string;
  readonly response: string;
}

const row = z.looseObject({ prompt: z.string(), response: z.string().min(1, "is empty") });

/** Rows of a file as prompts and responses. Throws TilthError naming file, row and field. */
export function promptResponses(rows: readonly unknown[], file: string): PromptResponse[] {
  return rows.map((one, index) => {
    // TRL's and OpenAI's name.
    const given =
      one !== null && typeof one === "object" && "completion" in one ? { ...one, response: one.completion } : one;
    const result = row.safeParse(given);
    if (result.success) return { prompt: result.data.prompt, response: result.data.response };
    const [{ path, message }] = result.error.issues;
    throw new TilthError(`${file}, row ${index + 1}: ${path.join(".")}: ${message}`, {
      remedy: 'Every row is {"prompt", "response"}.',
    });
  });
}

/** A document of prompt and response, cut to `length` tokens. Its end is predicted too. */
export function promptExample(
  tokenizer: Tokenizer,
  { prompt, response }: PromptResponse,
  length: number,
): MaskedExample {
  const before = [tokenizer.endOfText, ...tokenizer.encode(prompt)];
  const all = [...before, ...tokenizer.encode(response), tokenizer.endOfText];
  return maskedFrom(all, (position) => position >= before.length, length);
}

/** Inputs and targets of a row of tokens, of which `counts` says which are to be predicted. */
export function maskedFrom(
  all: readonly number[],
  counts: (position: number) => boolean,
  length: number,
): MaskedExample {
  const tokens = Int32Array.from(all.slice(0, Math.min(all.length - 1, length)));
  const targets = Int32Array.from(tokens, (_, i) => (counts(i + 1) ? all[i + 1] : -1));
  return { tokens, targets };
}
