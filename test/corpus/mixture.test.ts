import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type MixtureDocument, mixtureSettings, planMixture, renderMixture } from "../../src/corpus/index.ts";

const names = ["prose", "code", "web", "caption"];
const documentsOf = (sizes: Readonly<Record<string, readonly number[]>>): MixtureDocument[] =>
  Object.entries(sizes).flatMap(([group, tokens]) =>
    tokens.map((one, index) => ({ id: `${group}-${index}`, group, tokens: one })),
  );

const sizes = fc.dictionary(
  fc.constantFrom(...names),
  fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 60 }),
  {
    minKeys: 1,
  },
);
const plain = fc.record({
  temperature: fc.constantFrom(0.5, 1, 2, 5, 1e6),
  maximumEpochs: fc.constantFrom(0.3, 1, 1.5, 4, 16),
  tokens: fc.option(fc.integer({ min: 1, max: 60_000 }), { nil: undefined }),
  seed: fc.integer({ min: 0, max: 100 }),
  weights: fc.dictionary(fc.constantFrom(...names), fc.constantFrom(0.2, 1, 3)),
});

function settingsOf(
  { weights, ...rest }: { weights: Record<string, number> },
  given: Record<string, readonly number[]>,
) {
  const groups = Object.entries(weights).filter(([name]) => name in given);
  return mixtureSettings.parse({ ...rest, groups: groups.map(([name, weight]) => ({ name, weight })) });
}

describe("any mixture", () => {
  it("counts exactly, respects every cap, and misses each target by less than a document", () => {
    fc.assert(
      fc.property(sizes, plain, (given, one) => {
        const settings = settingsOf(one, given);
        const documents = documentsOf(given);
        const plan = planMixture(documents, settings);
        const longest = new Map(Object.entries(given).map(([name, tokens]) => [name, Math.max(...tokens)]));
        let total = 0;
        for (const group of plan.groups) {
          const members = documents.flatMap((document, index) => (document.group === group.name ? [index] : []));
          const tokens = members.reduce((sum, index) => sum + documents[index].tokens * plan.counts[index], 0);
          expect(tokens).toBe(group.tokens);
          expect(members.reduce((sum, index) => sum + plan.counts[index], 0)).toBe(group.copies);
          expect(tokens).toBeLessThanOrEqual(group.availableTokens * group.maximumEpochs);
          // Copies of documents of one group differ by one at most.
          const counts = members.map((index) => plan.counts[index]);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
          const cap = Math.floor(group.availableTokens * group.maximumEpochs);
          if (group.capped) expect(cap - tokens).toBeLessThan(longest.get(group.name)!);
          total += tokens;
        }
        expect(plan.tokens).toBe(total);
        expect(plan.tokens).toBeLessThanOrEqual(plan.wantedTokens);
        expect(plan.groups.reduce((sum, { wantedShare }) => sum + wantedShare, 0)).toBeCloseTo(1, 9);
        const open = plan.groups.filter(({ capped }) => !capped);
        // Somebody can take more: then all that was asked for is there, but for whole documents.
        if (open.length > 0) {
          const slack = plan.groups.reduce((sum, { name }) => sum + longest.get(name)!, 0);
          expect(plan.wantedTokens - plan.tokens).toBeLessThanOrEqual(slack + plan.groups.length);
        }
        // Groups without a binding cap stand to each other as their shares.
        for (const a of open) {
          for (const b of open) {
            const level = (a.tokens + longest.get(a.name)! + 1) / a.wantedShare;
            expect(b.tokens).toBeLessThanOrEqual(level * b.wantedShare + 1);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it("only adds documents where more tokens are asked for", () => {
    fc.assert(
      fc.property(sizes, plain, fc.integer({ min: 1, max: 20_000 }), (given, one, more) => {
        const settings = settingsOf(one, given);
        const tokens = settings.tokens ?? 1000;
        const documents = documentsOf(given);
        const less = planMixture(documents, { ...settings, tokens });
        const larger = planMixture(documents, { ...settings, tokens: tokens + more });
        documents.forEach((_, index) => {
          expect(larger.counts[index]).toBeGreaterThanOrEqual(less.counts[index]);
        });
      }),
      { numRuns: 200 },
    );
  });
});

describe("a mixture", () => {
  const documents = documentsOf({ prose: Array(100).fill(10), code: Array(900).fill(10), web: Array(9000).fill(10) });

  it("is every document once where nothing is asked for", () => {
    const plan = planMixture(documents, mixtureSettings.parse({}));
    expect(plan.tokens).toBe(100_000);
    expect(plan.groups.map(({ epochs, capped }) => [epochs, capped])).toEqual(Array(3).fill([1, false]));
    expect(new Set(plan.counts)).toEqual(new Set([1]));
  });

  it("fills up from the others what a cap keeps from a group", () => {
    const settings = mixtureSettings.parse({
      groups: [
        { name: "prose", share: 0.5, maximumEpochs: 2 },
        { name: "code", share: 0.25 },
        { name: "web", share: 0.25 },
      ],
      tokens: 40_000,
    });
    const plan = planMixture(documents, settings);
    expect(Object.fromEntries(plan.groups.map(({ name, tokens, capped }) => [name, [tokens, capped]]))).toEqual({
      prose: [2000, true],
      code: [19_000, false],
      web: [19_000, false],
    });
    const text = renderMixture(plan);
    expect(text).toContain("Caps that bind: prose at 2 epochs");
    expect(text).toMatch(/code\s+900\s+9,000\s+25\.0%\s+19,000\s+47\.5%\s+2\.111\s+4\n/);
  });

  it("flattens sizes by temperature, and multiplies weights", () => {
    const shares = (settings: object) =>
      Object.fromEntries(
        planMixture(documents, mixtureSettings.parse(settings)).groups.map((one) => [one.name, one.wantedShare]),
      );
    const roots = [1000, 9000, 90_000].map(Math.sqrt);
    const sum = roots[0] + roots[1] + roots[2];
    expect(shares({ temperature: 2 }).prose).toBeCloseTo(roots[0] / sum, 12);
    expect(shares({ temperature: 1e9 }).prose).toBeCloseTo(1 / 3, 6);
    expect(shares({ groups: [{ name: "prose", weight: 9 }] }).prose).toBeCloseTo(9000 / 108_000, 12);
    // GPT-3's published shares sum to 101 %: proportions, not errors.
    const rounded = [0.6, 0.22, 0.19].map((share, at) => ({ name: ["web", "code", "prose"][at], share }));
    expect(shares({ groups: rounded }).web).toBeCloseTo(0.6 / 1.01, 12);
  });

  it("says so where every cap binds", () => {
    const plan = planMixture(documents, mixtureSettings.parse({ maximumEpochs: 2, tokens: 1_000_000 }));
    expect(plan.tokens).toBe(200_000);
    expect(renderMixture(plan)).toContain("Every cap binds: 800,000 tokens are not to be had");
  });

  it("names what is wrong with its settings", () => {
    const plan = (settings: object) => () => planMixture(documents, mixtureSettings.parse(settings));
    expect(plan({ groups: [{ name: "poems", kinds: ["prose"] }] })).toThrow(/"poems" has no training document/);
    expect(
      plan({
        groups: [
          { name: "prose", share: 0.7 },
          { name: "code", share: 0.7 },
        ],
      }),
    ).toThrow(/sum to 1\.4/);
    expect(plan({ groups: [{ name: "prose", share: 0.7, weight: 2 }] })).toThrow(/a share or a weight/);
    expect(plan({ groups: [{ name: "prose", minimum: 2 }] })).toThrow(/of a measure, which is not named/);
    expect(plan({ temprature: 2 })).toThrow(/did you mean .{0,2}"temperature/);
  });
});
