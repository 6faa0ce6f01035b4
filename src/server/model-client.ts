/** The served model as the HTTP side sees it: answers as they come, a bound on what waits, and slots freed when nobody listens. */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { TilthError } from "../foundation/index.ts";
import {
  type ModelAnswer,
  type ModelRequest,
  runJob,
  type ServedLoad,
  type ServedModel,
  type ServeModelInput,
  serveModelJob,
} from "../jobs/index.ts";
import { ApiError } from "./errors.ts";

/** A request without its number. */
type Unnumbered<Request> = Request extends unknown ? Omit<Request, "id"> : never;
export type Question = Unnumbered<Exclude<ModelRequest, { kind: "cancel" }>>;

interface Listener {
  readonly answers: ModelAnswer[];
  wake(): void;
}

/** Requests that wait for a slot, beyond which new ones are turned away. */
export interface ClientLimits {
  readonly waiting: number;
}

/** Runs the model in a worker thread until `close`. */
export class ModelClient {
  load: ServedLoad = {
    ...{ active: 0, waiting: 0, promptTokens: 0, tokens: 0 },
    ...{ reusedTokens: 0, preemptions: 0, cacheUsed: 0, cacheTokens: 0 },
  };
  private readonly listeners = new Map<number, Listener>();
  private next = 1;

  private constructor(
    readonly model: ServedModel,
    private readonly port: MessagePort,
    private readonly limits: ClientLimits & { readonly slots: number },
    private readonly stop: AbortController,
    /** Settles when the worker has ended; rejects where it broke. */
    readonly ended: Promise<void>,
  ) {
    port.on("message", (answer: ModelAnswer) => {
      const listener = this.listeners.get(answer.id);
      listener?.answers.push(answer);
      listener?.wake();
    });
  }

  /** Loads the model. Rejects as the job does where that fails. */
  static open(
    input: Omit<ServeModelInput, "port">,
    { onWarning, ...limits }: ClientLimits & { readonly onWarning: (message: string) => void },
  ): Promise<ModelClient> {
    const { port1, port2 } = new MessageChannel();
    const stop = new AbortController();
    return new Promise((resolve, reject) => {
      let client: ModelClient | undefined;
      const ended = runJob(
        serveModelJob,
        { ...input, port: port2 },
        {
          ports: [port2],
          signal: stop.signal,
          onEvent(event) {
            if (event.kind === "warning") onWarning(event.message);
            else if (event.kind === "load" && client !== undefined) client.load = event.load;
            else if (event.kind === "ready") {
              client = new ModelClient(event.model, port1, { ...limits, slots: input.slots }, stop, ended);
              resolve(client);
            }
          },
        },
      );
      ended.catch(reject);
    });
  }

  /** Requests that were taken and have not ended. */
  get open(): number {
    return this.listeners.size;
  }

  /**
   * Asks, and yields the answers up to the last. Leaving the loop early, or `signal`, gives the slot back. Throws ApiError with
   * status 429 where too many wait, 400 where the model refuses.
   */
  async *ask(question: Question, signal: AbortSignal): AsyncGenerator<ModelAnswer> {
    if (this.listeners.size >= this.limits.slots + this.limits.waiting) {
      throw new ApiError(429, `${this.listeners.size} requests run or wait already; try again later`, {
        ...{ type: "rate_limit_error", code: "too_many_requests", retryAfter: 1 },
      });
    }
    const id = this.next++;
    let wake = () => {};
    const listener: Listener = { answers: [], wake: () => wake() };
    const onAbort = () => listener.wake();
    this.listeners.set(id, listener);
    signal.addEventListener("abort", onAbort, { once: true });
    let finished = false;
    try {
      this.port.postMessage({ ...question, id });
      while (!signal.aborted) {
        const answer = listener.answers.shift();
        if (answer === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
            if (listener.answers.length > 0 || signal.aborted) resolve();
          });
          continue;
        }
        if (answer.kind === "refused") {
          finished = true;
          throw new ApiError(400, answer.message, { code: answer.code, param: "prompt" });
        }
        finished = answer.kind === "end" || answer.kind === "vectors";
        yield answer;
        if (finished) return;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.listeners.delete(id);
      if (!finished) this.port.postMessage({ kind: "cancel", id });
    }
  }

  /** Ends the worker. */
  async close(): Promise<void> {
    this.stop.abort();
    try {
      await this.ended;
    } catch (error) {
      if (!(error instanceof TilthError)) throw error;
    } finally {
      this.port.close();
    }
  }
}
