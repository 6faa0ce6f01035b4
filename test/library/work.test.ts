import { expect, expectTypeOf, it } from "vitest";
import { type RunEvent, type RunResult, startWork, train, type Work } from "../../src/library/index.ts";

/** Work that counts until it is stopped, an event a number. */
const counting = (to: number, options?: { signal?: AbortSignal }) =>
  startWork<number, string>(async ({ onEvent, signal }) => {
    for (let number = 1; number <= to; number++) {
      if (signal.aborted) throw new Error("stopped");
      onEvent(number);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return "done";
  }, options);

it("gives its result to who awaits it, and every event to who walks over it", async () => {
  expect(await counting(3)).toBe("done");
  const work = counting(3);
  const [seen, again]: number[][] = [[], []];
  const other = (async () => {
    for await (const event of work) again.push(event);
  })();
  for await (const event of work) seen.push(event);
  await other;
  expect(seen).toEqual([1, 2, 3]);
  expect(again).toEqual([1, 2, 3]);
  expect(await work.result).toBe("done");
  // Work that has ended has nothing more to tell, and says so.
  for await (const event of work) expect(event).toBeUndefined();
});

it("throws where it fails, into the loop and to who awaits", async () => {
  const failing = () =>
    startWork<number, void>(async ({ onEvent }) => {
      onEvent(1);
      throw new Error("broken");
    });
  const seen: number[] = [];
  const walk = async () => {
    for await (const event of failing()) seen.push(event);
  };
  await expect(walk()).rejects.toThrow("broken");
  expect(seen).toEqual([1]);
  await expect(failing()).rejects.toThrow("broken");
});

it("is stopped by its signal, and by leaving the loop, without a rejection that nobody hears", async () => {
  const controller = new AbortController();
  const stopped = counting(1e9, { signal: controller.signal });
  let last = 0;
  const walk = async () => {
    for await (const event of stopped) {
      last = event;
      if (event === 3) controller.abort();
    }
  };
  await expect(walk()).rejects.toThrow("stopped");
  expect(last).toBeLessThan(10);
  await expect(stopped).rejects.toThrow("stopped");
  const left = counting(1e9);
  for await (const event of left) if (event === 2) break;
  await expect(left.result).rejects.toThrow("stopped");
});

it("has types that tell what happens and what comes out", () => {
  expectTypeOf(train).returns.toEqualTypeOf<Work<RunEvent, RunResult>>();
  expectTypeOf<Awaited<ReturnType<typeof train>>>().toEqualTypeOf<RunResult>();
  expectTypeOf(train).parameter(1).toMatchTypeOf<{ signal?: AbortSignal; replace?: boolean } | undefined>();
  expectTypeOf(train).toBeCallableWith({ runFolder: "a", corpus: { sources: [] }, training: { steps: 1 } });
  const wrong = { runFolder: "a", corpus: { sources: [] }, training: { steps: "many" } } as const;
  expectTypeOf<typeof wrong>().not.toExtend<Parameters<typeof train>[0]>();
});
