import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignSplits } from "../../src/corpus/split/index.ts";

const rowsOf = (count: number, bytes = 100) =>
  Array.from({ length: count }, (_, index) => ({ cluster: `cluster-${index}`, bytes }));
const unlimited = {
  validationShare: 0.1,
  maximumValidationBytes: Number.POSITIVE_INFINITY,
  maximumClusterBytes: Number.POSITIVE_INFINITY,
  seed: 7,
};

const anyRows = fc.array(fc.record({ cluster: fc.string({ maxLength: 2 }), bytes: fc.nat(1000) }), { maxLength: 60 });
const anySettings = fc.record({
  validationShare: fc.double({ min: 0, max: 1, noNaN: true }),
  maximumValidationBytes: fc.nat(5000),
  maximumClusterBytes: fc.nat(5000),
  seed: fc.nat(),
});

describe("assignSplits", () => {
  it("never separates a cluster and never exceeds the byte cap", () => {
    fc.assert(
      fc.property(anyRows, anySettings, (rows, settings) => {
        const splits = assignSplits(rows, settings);
        const byCluster = new Map<string, string>();
        let validationBytes = 0;
        splits.forEach((split, index) => {
          const { cluster, bytes } = rows[index];
          expect(byCluster.get(cluster) ?? split).toBe(split);
          byCluster.set(cluster, split);
          if (split === "validation") validationBytes += bytes;
        });
        expect(splits).toHaveLength(rows.length);
        expect(validationBytes).toBeLessThanOrEqual(settings.maximumValidationBytes);
      }),
    );
  });

  it("does not depend on the order of the rows", () => {
    fc.assert(
      fc.property(anyRows, anySettings, (rows, settings) => {
        const reversed = assignSplits([...rows].reverse(), settings).reverse();
        expect(reversed).toEqual(assignSplits(rows, settings));
      }),
    );
  });

  it("moves nothing when documents are added below the cap", () => {
    const before = assignSplits(rowsOf(1000), unlimited);
    const after = assignSplits(rowsOf(3000), unlimited);
    expect(after.slice(0, 1000)).toEqual(before);
  });

  it("moves documents only out of validation when additions reach the cap", () => {
    const settings = { ...unlimited, maximumValidationBytes: 5000 };
    const before = assignSplits(rowsOf(1000), settings);
    const after = assignSplits(rowsOf(3000), settings).slice(0, 1000);
    expect(before.filter((split) => split === "validation")).toHaveLength(50);
    after.forEach((split, index) => {
      if (split === "validation") expect(before[index]).toBe("validation");
    });
  });

  it("gives the share that was asked for, differently for another seed", () => {
    const first = assignSplits(rowsOf(10_000), unlimited);
    const count = first.filter((split) => split === "validation").length;
    // Four standard deviations of a binomial with n = 10,000 and p = 0.1.
    expect(Math.abs(count - 1000)).toBeLessThan(4 * Math.sqrt(900));
    expect(assignSplits(rowsOf(10_000), { ...unlimited, seed: 8 })).not.toEqual(first);
  });

  it("trains on everything at a share or a cap of 0, and on a cluster above the cap", () => {
    expect(assignSplits(rowsOf(50), { ...unlimited, validationShare: 0 })).not.toContain("validation");
    expect(assignSplits(rowsOf(50), { ...unlimited, maximumValidationBytes: 0 })).not.toContain("validation");
    const rows = [{ cluster: "large", bytes: 10_000 }, ...rowsOf(20)];
    for (const limit of ["maximumValidationBytes", "maximumClusterBytes"]) {
      const splits = assignSplits(rows, { ...unlimited, validationShare: 1, [limit]: 2000 });
      expect(splits[0]).toBe("train");
      expect(splits.slice(1)).not.toContain("train");
    }
  });

  it("holds something out of a small corpus, but never more than a third", () => {
    for (const count of [3, 5, 12]) {
      const splits = assignSplits(rowsOf(count, 1000), { ...unlimited, validationShare: 1e-9 });
      const held = splits.filter((split) => split === "validation").length;
      expect(held).toBe(Math.min(5, Math.floor(count / 3)));
    }
    expect(assignSplits(rowsOf(2), { ...unlimited, validationShare: 1e-9 })).not.toContain("validation");
  });
});
