import { describe, expect, it } from "vitest";
import { Random } from "../../src/foundation/index.ts";
import {
  chooseObjective,
  documentEnds,
  documentStarts,
  objectives,
  type TokenSource,
} from "../../src/objectives/index.ts";

const [endOfText, length] = [0, 64];
const special = ["<mask>", "<pad>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"];
const specialTokens = new Map([
  ["<|endoftext|>", endOfText],
  ...special.map((text, i) => [text, 1 + i] as const),
  ...Array.from({ length: 10 }, (_, i) => [`<extra_id_${i}>`, 10 + i] as const),
]);
const [maskId, prefixId, middleId, suffixId] = [1, 3, 4, 5];

/** 200 sequences of documents of some 30 tokens; words have one to three pieces, odd ids go on with a word. */
function sourceOf(seed = 7): TokenSource & { readonly all: Int32Array } {
  const random = new Random(seed);
  const all = Int32Array.from({ length: 200 * length + 1 }, () =>
    random.below(30) === 0 ? endOfText : 20 + random.below(980),
  );
  return {
    all,
    tokens: all.length,
    vocabulary: { size: 1000, endOfText, specialTokens, startsWord: (id) => id % 2 === 0 },
    read: (start, count) => all.slice(start, start + count),
  };
}

const source = sourceOf();
const plan = { sequenceLength: length, documentMask: true };
const rows = Array.from({ length: 50 }, (_, i) => i);
const draw = (settings: { kind: string }, keys: number[] = [1, 1], some = rows) =>
  chooseObjective(settings, length).objective.draw(source, some, plan, keys);
const originalOf = (sequences: readonly number[]) =>
  Int32Array.from(sequences.flatMap((one) => [...source.read(one * length, length)]));

describe("every objective over text", () => {
  it.each(Object.keys(objectives).filter((name) => name !== "contrastive"))(
    "%s draws a batch from its keys alone, row by row, and differs under others",
    (kind) => {
      const settings = kind === "next-token" ? { kind, fillInTheMiddle: { rate: 1 } } : { kind };
      expect(draw(settings)).toEqual(draw(settings));
      expect(draw(settings).tokens).not.toEqual(draw(settings, [1, 2]).tokens);
      // Row 3 of the step is the same in a micro-batch of its own.
      const { objective } = chooseObjective(settings, length);
      const alone = objective.draw(source, [33], plan, [1, 1], [3]);
      const among = objective.draw(source, [30, 31, 32, 33], plan, [1, 1]);
      expect([...alone.tokens]).toEqual([
        ...objective.draw(source, [30, 31, 32, 33], plan, [1, 1], [0, 1, 2, 3]).tokens.slice(3 * length),
      ]);
      expect(among.tokens).toHaveLength(4 * length);
    },
  );

  it("names the setting that is wrong, and the objective that was meant", () => {
    expect(() => chooseObjective({ kind: "masked-tokens" }, length)).toThrow('did you mean "masked-token"');
    expect(() => chooseObjective({ kind: "masked-token", rate: 2 } as never, length)).toThrow(/masked-token.*rate/);
    expect(() => chooseObjective({ kind: "masked-token", mask: 1 } as never, length)).toThrow(/"mask"/);
  });
});

describe("masked-token", () => {
  it("chooses 15 %: of these 80 % masked, 10 % random, 10 % as they were; the rest is untouched", () => {
    const batch = draw({ kind: "masked-token" });
    const original = originalOf(rows);
    const chosen = new Set(batch.rows);
    const ordinary = original.filter((token) => token !== endOfText).length;
    expect(batch.targetCount / ordinary).toBeCloseTo(0.15, 2);
    const shares = { masked: 0, changed: 0, kept: 0 };
    batch.rows!.forEach((row, i) => {
      expect(batch.targets[i]).toBe(original[row]);
      expect(original[row]).not.toBe(endOfText);
      const now = batch.tokens[row];
      shares[now === maskId ? "masked" : now === original[row] ? "kept" : "changed"] += 1;
    });
    expect(shares.masked / batch.targetCount).toBeCloseTo(0.8, 1);
    expect(shares.changed / batch.targetCount).toBeCloseTo(0.1, 1);
    original.forEach((token, row) => {
      if (!chosen.has(row)) expect(batch.tokens[row]).toBe(token);
    });
  });

  it("lets a token see its own document, both ways, and no other", () => {
    const batch = draw({ kind: "masked-token" });
    const starts = documentStarts(originalOf(rows), length, endOfText);
    expect(batch.visibleFrom).toEqual(starts);
    expect(batch.visibleTo).toEqual(documentEnds(starts, length));
    for (let i = 0; i < starts.length; i++) {
      const position = i % length;
      expect(batch.visibleFrom![i]).toBeLessThanOrEqual(position);
      expect(batch.visibleTo![i]).toBeGreaterThan(position);
    }
  });

  it("hides whole words, and no word in part", () => {
    const batch = draw({ kind: "masked-token", wholeWord: true, rate: 0.3 } as never);
    const original = originalOf(rows);
    const chosen = new Set(batch.rows);
    original.forEach((token, row) => {
      const goesOn = row % length > 0 && token % 2 === 1 && token >= 20 && original[row - 1] >= 20;
      if (goesOn) expect(chosen.has(row)).toBe(chosen.has(row - 1));
    });
    expect(batch.targetCount / original.length).toBeGreaterThan(0.25);
  });

  it("pairs halves that follow each other with label 0, and halves from elsewhere with label 1, half and half", () => {
    const batch = draw({ kind: "masked-token", nextSentence: true } as never);
    const half = length / 2;
    const restored = batch.tokens.slice();
    batch.rows!.forEach((row, i) => {
      restored[row] = batch.targets[i];
    });
    rows.forEach((sequence) => {
      const window = restored.subarray(sequence * length, (sequence + 1) * length);
      const follows = source.read(sequence * length, length - 2);
      expect([...window.subarray(1, half)]).toEqual([...follows.subarray(0, half - 1)]);
      const isNext = window.subarray(half + 1).every((token, i) => token === follows[half - 1 + i]);
      expect(batch.sentenceLabels![sequence]).toBe(Number(!isNext));
    });
    const elsewhere = batch.sentenceLabels!.reduce((a, b) => a + b) / rows.length;
    expect(elsewhere).toBeGreaterThan(0.25);
    expect(elsewhere).toBeLessThan(0.75);
    expect(batch.types![half - 1]).toBe(0);
    expect(batch.types![half]).toBe(1);
  });
});

describe("fill in the middle", () => {
  it("rearranges documents so that the parts can be put together again", () => {
    const window = [endOfText, ...Array.from({ length: 40 }, (_, i) => 100 + i), endOfText];
    const one: TokenSource = {
      ...source,
      read: (_, count) => Int32Array.from([...window, ...window, ...window].slice(0, count)),
    };
    for (const suffixFirstShare of [0, 1]) {
      const { objective } = chooseObjective(
        { kind: "next-token", fillInTheMiddle: { rate: 1, suffixFirstShare } } as never,
        length,
      );
      for (let seed = 0; seed < 20; seed++) {
        const { tokens } = objective.draw(one, [0], { sequenceLength: 45, documentMask: false }, [seed]);
        const document = [...tokens.subarray(1, 44)];
        const at = (id: number) => document.indexOf(id);
        expect(at(prefixId)).toBe(0);
        const [prefix, middle, suffix] =
          suffixFirstShare === 0
            ? [
                document.slice(1, at(suffixId)),
                document.slice(at(middleId) + 1),
                document.slice(at(suffixId) + 1, at(middleId)),
              ]
            : [[], document.slice(at(middleId) + 1), document.slice(at(suffixId) + 1, at(middleId))];
        expect([...prefix, ...middle, ...suffix]).toEqual(window.slice(1, 41));
      }
    }
  });

  it("leaves everything as it is at rate 0", () => {
    expect(draw({ kind: "next-token", fillInTheMiddle: { rate: 0 } } as never)).toEqual(draw({ kind: "next-token" }));
  });
});

describe("span corruption", () => {
  it("takes 15 % out in spans of 3, predicts them and nothing else, and shows the prefix both ways", () => {
    const batch = draw({ kind: "span-corruption" });
    rows.forEach((sequence) => {
      const tokens = [...batch.tokens.subarray(sequence * length, (sequence + 1) * length)];
      const targets = [...batch.targets.subarray(sequence * length, (sequence + 1) * length)];
      const first = targets.findIndex((target) => target >= 0);
      const missing = targets.filter((target) => target >= 0);
      const prefix = tokens.slice(0, first + 1);
      const isSentinel = (id: number) => id >= 10 && id < 20;
      // The original text comes back when every sentinel of the prefix is replaced by what follows it among the targets.
      const spans = new Map<number, number[]>();
      let current = -1;
      for (const id of missing) {
        if (isSentinel(id)) {
          current = id;
          spans.set(id, []);
        } else spans.get(current)!.push(id);
      }
      const restored = prefix.flatMap((id) => (isSentinel(id) ? spans.get(id)! : [id]));
      expect(restored).toEqual([...source.read(sequence * length, restored.length)]);
      const taken = missing.filter((id) => !isSentinel(id)).length;
      expect(taken / restored.length).toBeCloseTo(0.15, 1);
      expect(taken / (spans.size - 1)).toBeCloseTo(3, 0);
      const visibleTo = batch.visibleTo!.subarray(sequence * length, (sequence + 1) * length);
      expect(visibleTo[0]).toBe(prefix.length);
      expect(visibleTo[prefix.length]).toBe(prefix.length + 1);
    });
  });
});
