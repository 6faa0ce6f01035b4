/** A checkpoint held open in a worker thread: it writes, answers and embeds while it is asked. */
import { resolve } from "node:path";
import type { ChatMessage } from "../adaptation/index.ts";
import { TilthError, UsageError } from "../foundation/index.ts";
import type { DeviceOptions, Prompt, ServedModel } from "../jobs/index.ts";
import { ApiError, ModelClient } from "../server/index.ts";

/** How a model is held. */
export interface LoadModelOptions {
  /** The native backend where it can be built, else the reference; bf16 where weights and processor have it. */
  readonly device?: DeviceOptions;
  /** f32, bf16, or as the checkpoint stores them (the default). */
  readonly weights?: "f32" | "bf16" | "stored";
  /** Requests that are answered at a time; more wait. 8 if left out. */
  readonly slots?: number;
  /** Tokens of a prompt and its answer; the model's context if left out. */
  readonly slotTokens?: number;
  /** Told what the user should know, e.g. that no compiler was found. */
  readonly onWarning?: (message: string) => void;
}

/** How text is written. */
export interface GenerateOptions {
  /** Up to the context's end if left out. */
  readonly maximumTokens?: number;
  /** 0 takes the likeliest token; 1 if left out. */
  readonly temperature?: number;
  readonly topP?: number;
  /** 0 for all. */
  readonly topK?: number;
  readonly seed?: number;
  /** Texts that end the answer; they are no part of it. */
  readonly stop?: readonly string[];
  readonly signal?: AbortSignal;
}

/** A model that answers. Close it when done: its worker keeps the process alive. */
export interface LoadedModel {
  readonly description: ServedModel;
  /** Continues text, piece by piece. Leaving the loop stops it. @throws UsageError for a prompt that is empty or too long */
  generate(prompt: string, options?: GenerateOptions): AsyncGenerator<string>;
  /** Answers a conversation. @throws UsageError where the model has no chat template: a base model continues text */
  chat(messages: readonly ChatMessage[], options?: GenerateOptions): AsyncGenerator<string>;
  /** Vectors of length 1, [texts][width]: the mean of the last hidden states. */
  embed(texts: readonly string[], options?: Pick<GenerateOptions, "signal">): Promise<Float32Array[]>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a checkpoint: a Hugging Face folder of a family that Tilth reads.
 * @throws TilthError naming the file, key or tensor that does not fit
 */
export async function loadModel(checkpoint: string, options: LoadModelOptions = {}): Promise<LoadedModel> {
  const client = await ModelClient.open(
    {
      checkpoint: resolve(checkpoint),
      device: options.device ?? { backend: "auto", precision: "auto" },
      weights: options.weights ?? "stored",
      slots: options.slots ?? 8,
      ...(options.slotTokens === undefined ? {} : { slotTokens: options.slotTokens }),
    },
    { waiting: Number.POSITIVE_INFINITY, onWarning: options.onWarning ?? (() => {}) },
  );
  return new ClientModel(client);
}

class ClientModel implements LoadedModel {
  constructor(private readonly client: ModelClient) {}

  get description(): ServedModel {
    return this.client.model;
  }

  generate(prompt: string, options: GenerateOptions = {}): AsyncGenerator<string> {
    return this.write({ text: prompt }, options);
  }

  async *chat(messages: readonly ChatMessage[], options: GenerateOptions = {}): AsyncGenerator<string> {
    if (!this.client.model.hasChatTemplate) {
      throw new UsageError("this model has no chat template: it is a base model, which continues text", {
        remedy: "Use generate, or load an instruct checkpoint: tilth adapt sft makes one.",
      });
    }
    yield* this.write({ messages }, options);
  }

  async embed(texts: readonly string[], { signal }: Pick<GenerateOptions, "signal"> = {}): Promise<Float32Array[]> {
    for await (const answer of this.ask({ kind: "embed", inputs: texts.map((text) => ({ text })) }, signal)) {
      if (answer.kind !== "vectors") continue;
      const { vectors, width } = answer;
      return texts.map((_, index) => vectors.slice(index * width, (index + 1) * width));
    }
    throw new TilthError("the embedding was stopped before it was done");
  }

  close(): Promise<void> {
    return this.client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async *write(prompt: Prompt, options: GenerateOptions): AsyncGenerator<string> {
    const { maximumTokens, temperature = 1, topP = 1, topK = 0, seed = 1, stop = [], signal } = options;
    const question = { kind: "generate" as const, prompt, maximumTokens, temperature, topP, topK, seed, stop };
    for await (const answer of this.ask(question, signal)) {
      if ((answer.kind === "piece" || answer.kind === "end") && answer.text !== "") yield answer.text;
    }
  }

  private async *ask(question: Parameters<ModelClient["ask"]>[0], signal?: AbortSignal) {
    try {
      yield* this.client.ask(question, signal ?? new AbortController().signal);
    } catch (error) {
      // What the server would send as a status is here what the caller asked wrongly.
      throw error instanceof ApiError ? new UsageError(error.message) : error;
    }
  }
}
