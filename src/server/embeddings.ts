/** `/v1/embeddings`: one vector of length 1 an input, the mean of the last hidden states. */
import type { Prompt } from "../jobs/index.ts";
import type { Reply } from "./generate.ts";
import type { ModelClient } from "./model-client.ts";
import type { EmbeddingRequest } from "./requests.ts";

export async function embeddings(
  { input, model, encoding_format: format }: EmbeddingRequest,
  client: ModelClient,
  reply: Reply,
): Promise<void> {
  const several = Array.isArray(input) && (typeof input[0] === "string" || Array.isArray(input[0]));
  const inputs = (several ? input : [input]) as readonly (string | readonly number[])[];
  const prompts = inputs.map((one): Prompt => (typeof one === "string" ? { text: one } : { tokens: one }));
  for await (const answer of client.ask({ kind: "embed", inputs: prompts }, reply.signal)) {
    if (answer.kind !== "vectors") continue;
    const { vectors, width, tokens } = answer;
    const data = inputs.map((_, index) => {
      const vector = vectors.subarray(index * width, (index + 1) * width);
      const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
      return { object: "embedding", index, embedding: format === "base64" ? bytes.toString("base64") : [...vector] };
    });
    reply.json({ object: "list", data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } });
  }
}
