/** Long work as the library hands it out: await it for the result, or walk over it for what happens on the way. */

/** How work is stopped. */
export interface StartOptions {
  /** Aborting it ends the work at the next safe point; the result then rejects, usually with InterruptedError. */
  readonly signal?: AbortSignal;
}

/**
 * Work that has begun. `await work` gives its result; `for await (const event of work)` gives what happens, and throws where
 * the work fails. Leaving the loop early stops the work.
 *
 * ```ts
 * const run = train("tilth.config.ts");
 * for await (const event of run) if (event.kind === "record") console.log(event.record);
 * const { checkpoint } = await run;
 * ```
 */
export interface Work<Event, Result> extends PromiseLike<Result>, AsyncIterable<Event> {
  readonly result: Promise<Result>;
}

/** Begins work, after the caller had the chance to listen. */
export function startWork<Event, Result>(
  run: (hooks: { readonly onEvent: (event: Event) => void; readonly signal: AbortSignal }) => Promise<Result>,
  { signal }: StartOptions = {},
): Work<Event, Result> {
  const left = new AbortController();
  const listeners = new Set<EventQueue<Event>>();
  const stop = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
  const result = Promise.resolve().then(() =>
    run({
      onEvent(event) {
        for (const listener of listeners) listener.push(event);
      },
      signal: stop,
    }),
  );
  let hasEnded = false;
  const end = () => {
    hasEnded = true;
    for (const listener of listeners) listener.end();
  };
  result.then(end, end);
  return {
    result,
    // biome-ignore lint/suspicious/noThenProperty: work is awaited as promises are.
    then: (onResult, onError) => result.then(onResult, onError),
    async *[Symbol.asyncIterator]() {
      const queue = new EventQueue<Event>();
      listeners.add(queue);
      if (hasEnded) queue.end();
      let whole = false;
      try {
        yield* queue;
        whole = true;
        await result;
      } finally {
        listeners.delete(queue);
        if (!whole) {
          left.abort();
          // Who leaves the loop does not wait for how the work ends.
          result.catch(() => {});
        }
      }
    },
  };
}

/** Events that wait to be read. */
class EventQueue<Event> implements AsyncIterable<Event> {
  private readonly waiting: Event[] = [];
  private ended = false;
  private wake = () => {};

  push(event: Event): void {
    this.waiting.push(event);
    this.wake();
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event> {
    for (;;) {
      while (this.waiting.length > 0) yield this.waiting.shift()!;
      if (this.ended) return;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
