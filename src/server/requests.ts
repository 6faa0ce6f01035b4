/** The requests that are understood, in OpenAI's form. What is known but not done is refused by name; what is not known is ignored, as there. */
import { z } from "zod";
import { ApiError } from "./errors.ts";

const stop = z
  .union([z.string().min(1), z.array(z.string().min(1)).max(4)])
  .nullish()
  .transform((given) => (given == null ? [] : [given].flat()));

const sampling = {
  model: z.string(),
  max_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  /** Not OpenAI's, but common: only the k likeliest tokens. */
  top_k: z.int().min(0).nullish(),
  n: z.int().min(1).max(16).nullish(),
  stop,
  seed: z.int().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
};

const tokens = z.array(z.int().min(0)).min(1);

export const completionRequest = z.looseObject({
  ...sampling,
  prompt: z.union([z.string(), tokens, z.array(z.string()).min(1).max(64), z.array(tokens).min(1).max(64)]),
  logprobs: z.int().min(0).max(5).nullish(),
  echo: z.boolean().nullish(),
});
export type CompletionRequest = z.infer<typeof completionRequest>;

const textPart = z.looseObject({ type: z.literal("text"), text: z.string() });

export const chatRequest = z.looseObject({
  ...sampling,
  messages: z
    .array(
      z.looseObject({
        role: z.enum(["system", "developer", "user", "assistant"]),
        content: z.union([z.string(), z.array(textPart)]),
      }),
    )
    .min(1),
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
});
export type ChatRequest = z.infer<typeof chatRequest>;

export const embeddingRequest = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), tokens, z.array(z.string()).min(1).max(2048), z.array(tokens).min(1).max(2048)]),
  encoding_format: z.enum(["float", "base64"]).nullish(),
});
export type EmbeddingRequest = z.infer<typeof embeddingRequest>;

/** Fields of OpenAI's requests that change the answer and that this server does not do, with the values that change nothing. */
const undone: Readonly<Record<string, readonly unknown[]>> = {
  best_of: [1],
  suffix: [""],
  frequency_penalty: [0],
  presence_penalty: [0],
  logit_bias: [{}],
  tools: [[]],
  functions: [[]],
  response_format: [{ type: "text" }],
  dimensions: [],
  modalities: [["text"]],
};

/** Throws ApiError, naming the field. */
export function parseRequest<Output>(schema: z.ZodType<Output>, body: unknown): Output {
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const param = issue.path.join(".") || null;
    throw new ApiError(400, `${param ?? "the request"}: ${issue.message}`, { param, code: "invalid_value" });
  }
  for (const [name, harmless] of Object.entries(undone)) {
    const value = (body as Record<string, unknown>)[name];
    if (value === undefined || value === null) continue;
    if (harmless.some((one) => JSON.stringify(one) === JSON.stringify(value))) continue;
    throw new ApiError(400, `${name} is not supported by this server`, { param: name, code: "unsupported_parameter" });
  }
  return parsed.data;
}
