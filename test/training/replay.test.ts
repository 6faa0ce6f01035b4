import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createMegatronWriter } from "../../src/formats/index.ts";
import { stepsThatSaw } from "../../src/jobs/document-map.ts";
import { replayedBefore } from "../../src/objectives/index.ts";
import { ReplayTokens, TokenStream } from "../../src/training/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-replay-"));
const [length, seed] = [8, 3];

/** Token i of a part is `first` + i. */
function stream(name: string, first: number, count: number): TokenStream {
  const writer = createMegatronWriter(join(folder, name), 60_000);
  writer.add(Int32Array.from({ length: count }, (_, i) => first + i));
  writer.finish();
  const vocabulary = { size: 60_000, endOfText: 0, specialTokens: new Map(), startsWord: () => true };
  return new TokenStream(join(folder, name), vocabulary);
}

const domain = stream("domain", 0, 101 * length + 5);
const general = stream("general", 20_000, 37 * length + 1);
const isReplayed = (data: ReplayTokens, sequence: number) => data.read(sequence * length, 1)[0] >= 20_000;

afterAll(() => {
  domain.close();
  general.close();
  rmSync(folder, { recursive: true, force: true });
});

it.each([0.05, 0.07, 0.29, 0.5, 0.9])("a share of %f is replayed exactly, whatever batches are asked for", (share) => {
  const data = new ReplayTokens(domain, general, share, length);
  const all = data.sequencesAt(0, 1000, length, seed);
  let replayed = 0;
  for (const [position, sequence] of all.entries()) {
    replayed += Number(isReplayed(data, sequence));
    expect(replayed).toBe(Math.floor((position + 1) * share + 1e-9));
    expect(replayed).toBe(data.replayedAt(0, position + 1));
  }
  // Nothing has to be replayed to continue anywhere.
  const again = [
    [0, 3],
    [3, 40],
    [43, 957],
  ].flatMap(([first, count]) => data.sequencesAt(first, count, length, seed));
  expect(again).toEqual(all);
  expect(data.sequencesAt(0, 1000, length, seed + 1)).not.toEqual(all);
});

it("each part is seen once an epoch, whole sequences with their last target", () => {
  const data = new ReplayTokens(domain, general, 0.25, length);
  const all = data.sequencesAt(0, 400, length, seed);
  const own = all.filter((one) => !isReplayed(data, one));
  expect(new Set(own.slice(0, 101)).size).toBe(101);
  expect(new Set(own.slice(101, 202)).size).toBe(101);
  const replayed = all.filter((one) => isReplayed(data, one));
  expect(new Set(replayed.slice(0, 37)).size).toBe(37);
  expect(data.requireSequences(length)).toBe(138);
  for (const sequence of [...own.slice(0, 101), ...replayed.slice(0, 37)]) {
    const window = data.read(sequence * length, length + 1);
    expect([...window]).toEqual(Array.from(window, (_, i) => window[0] + i));
  }
});

it("a take-down finds the steps that saw a document beside replayed text", () => {
  const [share, batchSequences] = [0.3, 10];
  const data = new ReplayTokens(domain, general, share, length);
  const steps = Array.from({ length: 20 }, (_, i) => i + 1);
  // Tokens of sequence 17, but its first: that is also the last target of sequence 16.
  const range = { document: "d", start: 17 * length + 1, end: 18 * length };
  const expected = steps.filter((step) =>
    data.sequencesAt((step - 1) * batchSequences, batchSequences, length, seed).includes(17),
  );
  expect(expected.length).toBeGreaterThan(0);
  const order = { tokens: domain.tokens, sequenceLength: length, batchSequences, seed, replayShare: share, steps };
  expect(stepsThatSaw([range], order)).toEqual(expected);
  expect(replayedBefore(20 * batchSequences, share)).toBe(60);
});
