import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createBackend } from "../../src/engine/index.ts";
import { UsageError } from "../../src/foundation/index.ts";
import { evaluate, loadModel } from "../../src/library/index.ts";
import { writeLlama } from "../support/checkpoints.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-model-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function all(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

it("writes the same text for the same seed, several at once, stops at a text, and ends when the loop is left", async () => {
  const backend = await createBackend("reference");
  await writeLlama(join(folder, "base"), backend);
  backend.dispose();
  await using model = await loadModel(join(folder, "base"), { device: { backend: "reference" } });
  expect(model.description.hasChatTemplate).toBe(false);
  const options = { maximumTokens: 24, seed: 3 };
  const [first, second, other] = await Promise.all([
    all(model.generate("one two", options)),
    all(model.generate("one two", options)),
    all(model.generate("one two", { ...options, seed: 4 })),
  ]);
  expect(first.length).toBeGreaterThan(0);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
  const stop = first.slice(3, 5);
  expect(await all(model.generate("one two", { ...options, stop: [stop] }))).toBe(first.slice(0, first.indexOf(stop)));
  for await (const piece of model.generate("one two", { seed: 3 })) {
    expect(first.startsWith(piece)).toBe(true);
    break;
  }
  const stopped = new AbortController();
  stopped.abort();
  expect(await all(model.generate("one two", { ...options, signal: stopped.signal }))).toBe("");
});

it("embeds texts, and says what it cannot do in typed errors", async () => {
  const model = await loadModel(join(folder, "base"), { device: { backend: "reference" } });
  const vectors = await model.embed(["one", "two", "one"]);
  expect(vectors).toHaveLength(3);
  expect(vectors[0]).toEqual(vectors[2]);
  expect(Math.hypot(...vectors[1])).toBeCloseTo(1, 4);
  await expect(all(model.chat([{ role: "user", content: "hello" }]))).rejects.toThrow(UsageError);
  await expect(all(model.generate("word ".repeat(5000)))).rejects.toThrow(UsageError);
  await model.close();
  await expect(loadModel(join(folder, "nothing"))).rejects.toThrow(/there is no checkpoint/);
  await expect(evaluate({ checkpoint: join(folder, "base"), store: join(folder, "nothing") })).rejects.toThrow(
    /nothing/,
  );
});
