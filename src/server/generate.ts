/** `/v1/completions` and `/v1/chat/completions`: one or several answers, at once or as they are written. */
import { randomInt, randomUUID } from "node:crypto";
import type { Prompt, ServedToken } from "../jobs/index.ts";
import { ApiError } from "./errors.ts";
import type { ModelClient, Question } from "./model-client.ts";
import type { ChatRequest, CompletionRequest } from "./requests.ts";

/** Where an answer goes: a stream of events, or one body. */
export interface Reply {
  /** Sends an event; the first one begins the stream. */
  event(data: unknown): void;
  /** Ends a stream. */
  endStream(): void;
  json(body: unknown): void;
  /** Set once the client is gone or its time is up. */
  readonly signal: AbortSignal;
}

interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

/** What differs between the two forms. */
interface Form {
  readonly id: string;
  readonly name: string;
  readonly streamName: string;
  /** A choice of a whole answer. */
  whole(index: number, text: string, tokens: readonly ServedToken[], reason: string): unknown;
  /** A choice of an event. `reason` is null until the last. */
  part(index: number, text: string, tokens: readonly ServedToken[], reason: string | null, isFirst: boolean): unknown;
}

type Generation = Extract<Question, { kind: "generate" }>;

const defaultCompletionTokens = 16;

export async function completions(request: CompletionRequest, client: ModelClient, reply: Reply): Promise<void> {
  requireWriter(client);
  const echo = request.echo === true;
  if (echo && request.logprobs != null) {
    throw new ApiError(400, "logprobs of an echoed prompt are not supported", { param: "echo" });
  }
  const { prompt } = request;
  const several = Array.isArray(prompt) && (typeof prompt[0] === "string" || Array.isArray(prompt[0]));
  const prompts = (several ? prompt : [prompt]) as readonly (string | readonly number[])[];
  const wantsProbabilities = request.logprobs != null;
  const shown = (tokens: readonly ServedToken[]) => (wantsProbabilities ? completionProbabilities(tokens) : null);
  const form: Form = {
    ...{ id: `cmpl-${randomUUID()}`, name: "text_completion", streamName: "text_completion" },
    whole: (index, text, tokens, finish_reason) => ({ index, text, logprobs: shown(tokens), finish_reason }),
    part: (index, text, tokens, finish_reason) => ({ index, text, logprobs: shown(tokens), finish_reason }),
  };
  const common = samplingOf(request, request.max_tokens ?? defaultCompletionTokens, request.logprobs ?? undefined);
  await answer(
    prompts.map((one): Prompt => (typeof one === "string" ? { text: one } : { tokens: one })),
    { common, form, echo, request },
    client,
    reply,
  );
}

export async function chatCompletions(request: ChatRequest, client: ModelClient, reply: Reply): Promise<void> {
  requireWriter(client);
  if (!client.model.hasChatTemplate) {
    throw new ApiError(
      400,
      "this model has no chat template: it is a base model, which continues text and was not taught to answer. Use /v1/completions, or serve an instruct checkpoint (tilth adapt sft makes one)",
      { code: "no_chat_template", param: "model" },
    );
  }
  const messages = request.messages.map(({ role, content }) => ({
    role: role === "developer" ? ("system" as const) : role,
    content: typeof content === "string" ? content : content.map(({ text }) => text).join(""),
  }));
  const wantsProbabilities = request.logprobs === true;
  const shown = (tokens: readonly ServedToken[]) =>
    wantsProbabilities ? { content: tokens.map(chatProbability) } : null;
  const form: Form = {
    ...{ id: `chatcmpl-${randomUUID()}`, name: "chat.completion", streamName: "chat.completion.chunk" },
    whole: (index, content, tokens, finish_reason) => ({
      ...{ index, message: { role: "assistant", content, refusal: null } },
      ...{ logprobs: shown(tokens), finish_reason },
    }),
    part: (index, content, tokens, finish_reason, isFirst) => ({
      ...{
        index,
        delta: finish_reason !== null && content === "" ? {} : { ...(isFirst && { role: "assistant" }), content },
      },
      ...{ logprobs: shown(tokens), finish_reason },
    }),
  };
  const maximum = request.max_completion_tokens ?? request.max_tokens ?? undefined;
  const common = samplingOf(request, maximum, wantsProbabilities ? (request.top_logprobs ?? 0) : undefined);
  await answer([{ messages }], { common, form, echo: false, request }, client, reply);
}

function requireWriter({ model }: ModelClient): void {
  if (model.writes) return;
  throw new ApiError(400, "this model writes no text: it is an encoder. Use /v1/embeddings", { param: "model" });
}

function samplingOf(
  request: CompletionRequest | ChatRequest,
  maximumTokens: number | undefined,
  logProbabilities: number | undefined,
): Omit<Generation, "prompt" | "seed"> {
  return {
    ...{ kind: "generate", maximumTokens, stop: request.stop },
    ...{ temperature: request.temperature ?? 1, topP: request.top_p ?? 1, topK: request.top_k ?? 0 },
    ...(logProbabilities !== undefined && { logProbabilities }),
  };
}

async function answer(
  prompts: readonly Prompt[],
  {
    common,
    form,
    echo,
    request,
  }: {
    readonly common: Omit<Generation, "prompt" | "seed">;
    readonly form: Form;
    readonly echo: boolean;
    readonly request: CompletionRequest | ChatRequest;
  },
  client: ModelClient,
  reply: Reply,
): Promise<void> {
  const count = request.n ?? 1;
  const first = request.seed ?? randomInt(2 ** 31);
  const created = Math.floor(Date.now() / 1000);
  const usage: Usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  const streams = request.stream === true;
  const wantsUsage = streams && request.stream_options?.include_usage === true;
  const head = (object: string) => ({ id: form.id, object, created, model: request.model });
  const send = (choices: readonly unknown[], given: Usage | null) =>
    reply.event({ ...head(form.streamName), choices, ...(wantsUsage && { usage: given }) });
  const choices: unknown[] = [];
  const abort = new AbortController();
  const signal = AbortSignal.any([reply.signal, abort.signal]);
  const write = async (index: number) => {
    const prompt = prompts[Math.floor(index / count)];
    const tokens: ServedToken[] = [];
    let text = "";
    let isFirst = true;
    const question: Generation = { ...common, prompt, seed: (first + (index % count)) % 2 ** 31 };
    for await (const one of client.ask(question, signal)) {
      if (one.kind === "started") {
        // The prompt of several answers counts once.
        if (index % count === 0) usage.prompt_tokens += one.promptTokens;
        if (!echo) continue;
        text = one.promptText;
        if (streams) send([form.part(index, text, [], null, isFirst)], null);
        isFirst = false;
      } else if (one.kind === "piece") {
        text += one.text;
        tokens.push(one.token);
        const isShown = one.text !== "" || common.logProbabilities !== undefined;
        if (streams && isShown) {
          send([form.part(index, one.text, [one.token], null, isFirst)], null);
          isFirst = false;
        }
      } else if (one.kind === "end") {
        text += one.text;
        usage.completion_tokens += one.tokens;
        if (streams) send([form.part(index, one.text, [], one.reason, isFirst)], null);
        else choices[index] = form.whole(index, text, tokens, one.reason);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: prompts.length * count }, (_, index) => write(index)));
  } catch (error) {
    // The other answers of this request are of no use without this one.
    abort.abort();
    throw error;
  }
  if (reply.signal.aborted) return;
  usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
  if (!streams) {
    reply.json({ ...head(form.name), choices, usage });
    return;
  }
  if (wantsUsage) send([], usage);
  reply.endStream();
}

/** Log-probabilities as `/v1/completions` words them. */
function completionProbabilities(tokens: readonly ServedToken[]) {
  let offset = 0;
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logProbability }) => logProbability ?? null),
    top_logprobs: tokens.map(({ likeliest = [] }) =>
      Object.fromEntries(likeliest.map((one) => [one.text, one.logProbability])),
    ),
    text_offset: tokens.map(({ text }) => {
      const at = offset;
      offset += text.length;
      return at;
    }),
  };
}

/** A token as `/v1/chat/completions` words it. */
function chatProbability({ text, logProbability, likeliest = [] }: ServedToken) {
  const one = (token: string, logprob: number | undefined) => ({
    token,
    logprob: logprob ?? null,
    bytes: [...Buffer.from(token)],
  });
  return {
    ...one(text, logProbability),
    top_logprobs: likeliest.map((other) => one(other.text, other.logProbability)),
  };
}
