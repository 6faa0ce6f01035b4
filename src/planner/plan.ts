/** The decision: of the ways that meet all requirements and are nearly as good as the best of them, the cheapest. */
import type { Catalogue } from "./catalogue.ts";
import { choiceNeeds, type Needs, numericNeeds } from "./needs.ts";
import { type Way, type WayName, wayNames, waysOf } from "./ways.ts";

/** How much worse than the best forecast loss a way may be to count as equally good. */
export const tolerance = 0.05;

/** A number at which the recommendation becomes another, or a choice that makes it another. */
export interface Flip {
  readonly need: string;
  readonly from: number | string;
  /** For numbers: just beyond this value the recommendation is another. */
  readonly to: number | string;
  readonly direction?: "above" | "below";
  readonly recommendation: WayName | null;
}

/** What was decided, and why. */
export interface Plan {
  readonly currency: string;
  readonly catalogueDate: string;
  /** The best variant of every way. */
  readonly ways: readonly Way[];
  /** Null where no way meets all requirements. */
  readonly recommendation: Way | null;
  readonly reasons: readonly string[];
  readonly sensitivity: readonly Flip[];
}

/** Compares all ways. */
export function planFor(needs: Needs, catalogue: Catalogue): Plan {
  const { ways, chosen } = decide(needs, catalogue);
  return {
    currency: catalogue.currency,
    catalogueDate: catalogue.date,
    ways,
    recommendation: chosen ?? null,
    reasons: reasonsFor(ways, chosen),
    sensitivity: sensitivityOf(needs, catalogue, chosen?.name),
  };
}

/** The recommended way alone. */
export function recommend(needs: Needs, catalogue: Catalogue): WayName | null {
  return decide(needs, catalogue).chosen?.name ?? null;
}

function decide(needs: Needs, catalogue: Catalogue): { ways: Way[]; chosen: Way | undefined } {
  const all = waysOf(needs, catalogue);
  const able = all.filter(({ fails }) => fails.length === 0);
  const best = Math.min(...able.map(({ loss }) => loss));
  const good = able.filter(({ loss }) => loss <= best * (1 + tolerance));
  const cheapest = (ways: readonly Way[]) =>
    ways.reduce<Way | undefined>(
      (least, way) => (least && least.cost.total <= way.cost.total ? least : way),
      undefined,
    );
  // Of every way the variant that comes nearest: one that is good, else one that is able, else the cheapest.
  const ways = wayNames.map((name) => {
    const variants = [good, able, all].map((list) => cheapest(list.filter((way) => way.name === name)));
    return variants.find((way) => way !== undefined)!;
  });
  return { ways, chosen: cheapest(good) };
}

function reasonsFor(ways: readonly Way[], chosen: Way | undefined): string[] {
  const amount = (way: Way) => Math.round(way.cost.total).toLocaleString("en-US");
  const others = ways
    .filter(({ name }) => name !== chosen?.name)
    .map((way) => {
      if (way.fails.length > 0) return `${way.name} (${way.model}): ${way.fails.join("; ")}`;
      if (chosen === undefined) return "";
      if (way.loss > chosen.loss * (1 + tolerance)) {
        return `${way.name} (${way.model}): forecast loss ${way.loss.toFixed(2)}, the recommended way's is ${chosen.loss.toFixed(2)}`;
      }
      return `${way.name} (${way.model}): costs ${amount(way)}`;
    });
  if (chosen === undefined) return ["no way meets all requirements", ...others];
  return [
    `${chosen.name} (${chosen.model}) meets all requirements, its forecast loss of ${chosen.loss.toFixed(2)} is within ${100 * tolerance} % of the best that does, and it is the cheapest of these: ${amount(chosen)}`,
    ...others,
  ];
}

const farthest = 1000; // as a factor on a number
const stepsPerDecade = 12;

/** For every need: the nearest change that makes the recommendation another. */
function sensitivityOf(needs: Needs, catalogue: Catalogue, chosen: WayName | undefined): Flip[] {
  const now = chosen ?? null;
  const numbers = numericNeeds.flatMap((need) =>
    ([1, -1] as const).flatMap((sign): Flip[] => {
      const at = (exponent: number) =>
        recommend({ ...needs, [need]: needs[need] * 10 ** (sign * exponent) }, catalogue);
      const end = Math.log10(farthest);
      for (let low = 0; low < end - 1e-9; low += 1 / stepsPerDecade) {
        let [same, other] = [low, low + 1 / stepsPerDecade];
        if (at(other) === now) continue;
        while (other - same > 1e-6) {
          const middle = (same + other) / 2;
          if (at(middle) === now) same = middle;
          else other = middle;
        }
        const to = needs[need] * 10 ** (sign * other);
        const direction = sign > 0 ? "above" : "below";
        return [{ need, from: needs[need], to, direction, recommendation: at(other) }];
      }
      return [];
    }),
  );
  const choices = Object.entries(choiceNeeds).flatMap(([need, values]) =>
    values
      .filter((value) => value !== needs[need as keyof typeof choiceNeeds])
      .map((to) => ({
        ...{ need, from: needs[need as keyof typeof choiceNeeds], to },
        recommendation: recommend({ ...needs, [need]: to }, catalogue),
      }))
      .filter(({ recommendation }) => recommendation !== now),
  );
  return [...numbers, ...choices];
}
