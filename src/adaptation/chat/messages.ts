/** Conversations, read and checked. */
import { z } from "zod";
import { TilthError } from "../../foundation/index.ts";

const message = z.looseObject({ role: z.enum(["system", "user", "assistant"]), content: z.string() });

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

const conversation = z
  .array(message)
  .min(1)
  .refine((all) => all.some(({ role, content }) => role === "assistant" && content.trim() !== ""), {
    message: "the assistant says nothing",
  });

/** Rows with `messages`, or with `prompt` and `response`. Throws TilthError naming file, row and field. */
export function conversations(rows: readonly unknown[], file: string): ChatMessage[][] {
  return rows.map((row, index) => {
    const result = conversation.safeParse(messagesOf(row));
    if (result.success) return result.data.map(({ role, content }) => ({ role, content }));
    const [{ path, message: problem }] = result.error.issues;
    throw new TilthError(`${file}, row ${index + 1}: ${["messages", ...path].join(".")}: ${problem}`, {
      remedy: 'Every row is {"messages": [{"role", "content"}, …]} or {"prompt", "response"}.',
    });
  });
}

function messagesOf(row: unknown): unknown {
  if (row === null || typeof row !== "object") return undefined;
  const { messages, prompt, response, completion } = row as Readonly<Record<string, unknown>>;
  const answer = response ?? completion;
  if (messages !== undefined || typeof prompt !== "string") return messages;
  return [
    { role: "user", content: prompt },
    { role: "assistant", content: answer },
  ];
}
