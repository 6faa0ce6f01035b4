/** A model that answers while it is asked: requests come through a port, their tokens go back as they are drawn. */
import { existsSync } from "node:fs";
import type { MessagePort } from "node:worker_threads";
import type { ChatMessage, ChatTemplate } from "../adaptation/index.ts";
import { representationsOf } from "../evaluation/index.ts";
import { readTokenizerSettings } from "../export/index.ts";
import { messageOf } from "../foundation/index.ts";
import { type BatchRequest, ContinuousBatch, type DrawnToken, type SamplingOptions } from "../generation/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { chatTemplateFor } from "./adapt-chat.ts";
import { isStoredInBfloat16, type LoadedModel, loadModel, type WeightsInMemory } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

/** A prompt: text, tokens, or a conversation. */
export type Prompt =
  | { readonly text: string }
  | { readonly tokens: readonly number[] }
  | { readonly messages: readonly ChatMessage[] };

/** What a served model is asked. */
export type ModelRequest =
  | ({
      readonly kind: "generate";
      readonly id: number;
      readonly prompt: Prompt;
      readonly maximumTokens: number | undefined;
      readonly seed: number;
      /** Texts that end the answer; they are no part of it. */
      readonly stop: readonly string[];
      readonly logProbabilities?: number;
    } & SamplingOptions)
  | { readonly kind: "embed"; readonly id: number; readonly inputs: readonly Prompt[] }
  | { readonly kind: "cancel"; readonly id: number };

/** A token as clients see it. */
export interface ServedToken {
  readonly text: string;
  readonly logProbability?: number;
  readonly likeliest?: readonly { readonly text: string; readonly logProbability: number }[];
}

/** What it answers. */
export type ModelAnswer =
  | { readonly kind: "started"; readonly id: number; readonly promptTokens: number; readonly promptText: string }
  | { readonly kind: "piece"; readonly id: number; readonly text: string; readonly token: ServedToken }
  | {
      readonly kind: "end";
      readonly id: number;
      readonly reason: "stop" | "length";
      readonly text: string;
      readonly tokens: number;
    }
  | {
      readonly kind: "vectors";
      readonly id: number;
      readonly vectors: Float32Array;
      readonly width: number;
      readonly tokens: number;
    }
  | { readonly kind: "refused"; readonly id: number; readonly message: string; readonly code: string };

/** What the model is: told once, when it is ready. */
export interface ServedModel {
  readonly context: number;
  /** Tokens of a prompt and its answer together. */
  readonly capacity: number;
  readonly writes: boolean;
  readonly hasChatTemplate: boolean;
  readonly backend: string;
}

/** How many requests run, wait, and what was done since the start. */
export interface ServedLoad {
  readonly active: number;
  readonly waiting: number;
  readonly promptTokens: number;
  readonly tokens: number;
  /** Tokens of prompts that an earlier request had computed. */
  readonly reusedTokens: number;
  /** Requests that gave their place in the cache to older ones and were computed again. */
  readonly preemptions: number;
  /** Of the cache, in tokens. */
  readonly cacheUsed: number;
  readonly cacheTokens: number;
}

export type ServeEvent =
  | { readonly kind: "warning"; readonly message: string }
  | { readonly kind: "ready"; readonly model: ServedModel }
  | { readonly kind: "load"; readonly load: ServedLoad };

export interface ServeModelInput {
  readonly checkpoint: string;
  readonly device: DeviceOptions;
  readonly weights: WeightsInMemory;
  /** Requests that run at a time. */
  readonly slots: number;
  /** Tokens of a slot; the model's context if left out. */
  readonly slotTokens?: number;
  /** Tokens of all requests that are held at a time; every slot full if left out. */
  readonly cacheTokens?: number;
  readonly port: MessagePort;
}

export const serveModelJob: Job<ServeModelInput, ServeEvent, void> = {
  name: "serve-model",
  async run(input, { emit, shouldStop }) {
    const { checkpoint, port } = input;
    const backend = await openDevice(deviceFor(input), (message) => emit({ kind: "warning", message }));
    try {
      const loaded = loadModel(checkpoint, backend, input.weights);
      const hasChatTemplate = readTokenizerSettings(checkpoint).chatTemplate !== undefined;
      const template = hasChatTemplate ? chatTemplateFor(checkpoint, {}, loaded.tokenizer) : undefined;
      const served = new Served(loaded, template, input, (answer) => port.postMessage(answer));
      port.on("message", (request: ModelRequest) => served.take(request));
      emit({
        kind: "ready",
        model: { ...served.description, hasChatTemplate, backend: backend.description },
      });
      let told = 0;
      while (!shouldStop()) {
        const worked = await served.work();
        // Not with every token: the other thread has answers to send.
        if (performance.now() - told >= loadMilliseconds) {
          emit({ kind: "load", load: served.load });
          told = performance.now();
        }
        // Messages get their turn between two steps; without work the thread sleeps.
        await new Promise((resolve) => (worked ? setImmediate(resolve) : setTimeout(resolve, 2)));
      }
      port.close();
      served.dispose();
    } finally {
      backend.dispose();
    }
  },
};

/** `auto` computes in bf16 only where the weights lose nothing by it: those of a checkpoint that stores them so. */
function deviceFor({ checkpoint, device, weights }: ServeModelInput): DeviceOptions {
  if (device.precision !== "auto" || !existsSync(checkpoint)) return device;
  const rounded = weights === "bf16" || (weights === "stored" && isStoredInBfloat16(checkpoint));
  return rounded ? device : { ...device, precision: "f32" };
}

/** Time between two reports of the load. */
const loadMilliseconds = 200;

type GenerateRequest = Extract<ModelRequest, { kind: "generate" }>;

/** An answer that is being written. */
interface Writing {
  readonly stop: readonly string[];
  readonly decoder: ReturnType<Tokenizer["streamDecoder"]>;
  /** Text that may be the beginning of a stop. */
  held: string;
  tokens: number;
}

class Served {
  private readonly batch: ContinuousBatch | undefined;
  private readonly waiting: BatchRequest[] = [];
  private readonly writing = new Map<number, Writing>();
  private readonly embeddings: Extract<ModelRequest, { kind: "embed" }>[] = [];
  private readonly totals = { promptTokens: 0, tokens: 0 };
  private readonly context: number;

  constructor(
    private readonly loaded: LoadedModel,
    private readonly template: ChatTemplate | undefined,
    { slots, slotTokens: capacity, cacheTokens }: Pick<ServeModelInput, "slots" | "slotTokens" | "cacheTokens">,
    private readonly answer: (answer: ModelAnswer) => void,
  ) {
    const { engine, model, tokenizer } = loaded;
    this.context = model.architecture.dimensions(model.configuration).context;
    const writes = model.architecture.family === "decoder";
    this.batch = writes
      ? new ContinuousBatch(engine, model, tokenizer, { slots, capacity, tokens: cacheTokens })
      : undefined;
  }

  get description() {
    const { context, batch } = this;
    return { context, capacity: batch?.capacity ?? context, writes: batch !== undefined };
  }

  get load(): ServedLoad {
    const { batch, waiting, embeddings, totals } = this;
    const { used, tokens } = batch?.usage ?? { used: 0, tokens: 0 };
    return {
      ...{ active: batch?.active ?? 0, waiting: waiting.length + embeddings.length, ...totals },
      ...{ reusedTokens: batch?.reusedTokens ?? 0, preemptions: batch?.preemptions ?? 0 },
      ...{ cacheUsed: used, cacheTokens: tokens },
    };
  }

  take(request: ModelRequest): void {
    if (request.kind === "generate") this.enqueue(request);
    else if (request.kind === "embed") this.embeddings.push(request);
    else {
      this.batch?.cancel(request.id);
      this.writing.delete(request.id);
      const place = this.waiting.findIndex(({ id }) => id === request.id);
      if (place >= 0) this.waiting.splice(place, 1);
    }
  }

  /** One step of everything; false where there was nothing to do. */
  async work(): Promise<boolean> {
    const { batch } = this;
    const request = this.embeddings.shift();
    if (request !== undefined) await this.embed(request);
    while (batch?.hasRoom && this.waiting.length > 0) batch.start(this.waiting.shift()!);
    if (batch === undefined || batch.active === 0) return request !== undefined;
    for (const { id, drawn, ended } of await batch.step()) {
      const one = this.writing.get(id);
      // A request that was cancelled while the step ran.
      if (one === undefined) continue;
      const found = drawn !== undefined && this.write(id, one, drawn);
      if (found) batch.cancel(id);
      else if (ended !== undefined) this.end(id, one, ended);
    }
    return true;
  }

  dispose(): void {
    this.batch?.dispose();
  }

  private enqueue(request: GenerateRequest): void {
    const { id, stop, logProbabilities } = request;
    const prompt = this.acceptedPrompt(request);
    if (prompt === undefined) return;
    const promptText = "text" in request.prompt ? request.prompt.text : this.loaded.tokenizer.decode(prompt);
    this.answer({ kind: "started", id, promptTokens: prompt.length, promptText });
    this.totals.promptTokens += prompt.length;
    const { temperature, topP, topK, seed } = request;
    const maximumTokens = request.maximumTokens ?? this.batch!.capacity;
    this.waiting.push({ id, prompt, maximumTokens, temperature, topP, topK, seed, logProbabilities });
    this.writing.set(id, { stop, decoder: this.loaded.tokenizer.streamDecoder(), held: "", tokens: 0 });
  }

  /** The prompt's tokens, or undefined where it was refused. */
  private acceptedPrompt({ id, prompt: given }: GenerateRequest): Int32Array | undefined {
    const capacity = this.batch?.capacity ?? 0;
    let prompt: Int32Array;
    try {
      prompt = this.promptOf(given);
    } catch (error) {
      // A template may refuse a conversation, such as two user's turns in a row.
      this.refuse(id, "invalid_prompt", messageOf(error));
      return undefined;
    }
    const strange = this.strangeToken(prompt);
    if (strange !== undefined) this.refuse(id, "invalid_token", strange);
    else if (prompt.length < capacity) return prompt;
    else {
      const message = `the prompt has ${prompt.length} tokens; prompt and answer together have ${capacity}`;
      this.refuse(id, "context_length_exceeded", message);
    }
    return undefined;
  }

  private refuse(id: number, code: string, message: string): void {
    this.answer({ kind: "refused", id, code, message });
  }

  /** Says which token the model does not know; ids come from outside. */
  private strangeToken(tokens: Int32Array): string | undefined {
    const { vocabularySize } = this.loaded.tokenizer;
    const strange = tokens.find((token) => token < 0 || token >= vocabularySize);
    return strange === undefined ? undefined : `token ${strange} is outside a vocabulary of ${vocabularySize}`;
  }

  /** A text begins behind an end-of-text token, as documents do in training. */
  private promptOf(prompt: Prompt): Int32Array {
    const { tokenizer } = this.loaded;
    if ("tokens" in prompt) return Int32Array.from(prompt.tokens);
    const text = "text" in prompt ? prompt.text : this.template!.prompt(prompt.messages);
    const ids = tokenizer.encode(text, { allowSpecial: "messages" in prompt });
    return ids[0] === tokenizer.endOfText ? ids : Int32Array.of(tokenizer.endOfText, ...ids);
  }

  /** Tells of a token. True where the text now holds a stop: the answer has ended then. */
  private write(id: number, one: Writing, drawn: DrawnToken): boolean {
    one.tokens += 1;
    this.totals.tokens += 1;
    one.held += one.decoder.push(drawn.token);
    const stops = one.stop.map((stop) => one.held.indexOf(stop)).filter((place) => place >= 0);
    const kept = stops.length > 0 ? Math.min(...stops) : one.held.length - possibleStop(one.held, one.stop);
    this.answer({ kind: "piece", id, text: one.held.slice(0, kept), token: this.served(drawn) });
    one.held = one.held.slice(kept);
    if (stops.length === 0) return false;
    this.writing.delete(id);
    this.answer({ kind: "end", id, reason: "stop", text: "", tokens: one.tokens });
    return true;
  }

  private end(id: number, one: Writing, reason: "stop" | "length"): void {
    this.writing.delete(id);
    this.answer({ kind: "end", id, reason, text: one.held + one.decoder.end(), tokens: one.tokens });
  }

  private served({ token, logProbability, likeliest }: DrawnToken): ServedToken {
    const text = (id: number) => this.loaded.tokenizer.decode(Int32Array.of(id));
    return {
      text: text(token),
      ...(logProbability !== undefined && { logProbability }),
      ...(likeliest && { likeliest: likeliest.map((one) => ({ ...one, text: text(one.token) })) }),
    };
  }

  private async embed({ id, inputs }: Extract<ModelRequest, { kind: "embed" }>): Promise<void> {
    const { engine, model, tokenizer } = this.loaded;
    const texts = inputs.map((one) =>
      "tokens" in one ? Int32Array.from(one.tokens) : tokenizer.encode("text" in one ? one.text : ""),
    );
    const strange = texts.map((tokens) => this.strangeToken(tokens)).find((one) => one !== undefined);
    if (strange !== undefined) {
      this.refuse(id, "invalid_token", strange);
      return;
    }
    const long = texts.find((tokens) => tokens.length + 2 > this.context);
    if (long !== undefined) {
      const message = `an input has ${long.length} tokens; the model's context is ${this.context}, ends included`;
      this.refuse(id, "context_length_exceeded", message);
      return;
    }
    const options = { pooling: "mean" as const, normalize: true };
    const { vectors, width } = await representationsOf(engine, model, texts, tokenizer.endOfText, options);
    const tokens = texts.reduce((sum, one) => sum + one.length, 0);
    this.totals.promptTokens += tokens;
    this.answer({ kind: "vectors", id, vectors, width, tokens });
  }
}

/** Characters at the end of a text with which a stop may begin. */
function possibleStop(text: string, stops: readonly string[]): number {
  let most = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > most; length--) {
      if (text.endsWith(stop.slice(0, length))) most = length;
    }
  }
  return most;
}
