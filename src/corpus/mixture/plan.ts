/** The plan of a mixture: how many tokens of each group, which caps bind, and how often each document is seen. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { UsageError } from "../../foundation/index.ts";
import type { MixtureSettings } from "./settings.ts";

/** A document that may be drawn, in the store's order. */
export interface MixtureDocument {
  readonly id: string;
  readonly group: string;
  /** Tokens that it takes in the shard, its end-of-text token included. */
  readonly tokens: number;
}

const count = z.int().min(0);

const plannedGroup = z.strictObject({
  name: z.string(),
  documents: count,
  /** Tokens that there are, each document once. */
  availableTokens: count,
  /** The share that settings and sizes ask for, before caps. */
  wantedShare: z.number(),
  maximumEpochs: z.number(),
  /** Whether `maximumEpochs` keeps the group below its share. */
  capped: z.boolean(),
  /** Tokens that the shards hold of it: whole documents, so up to one document below the target. */
  tokens: count,
  share: z.number(),
  epochs: z.number(),
  /** Copies of documents in the shards. */
  copies: count,
});

/** One group of a plan. */
export type PlannedGroup = z.infer<typeof plannedGroup>;

/** What a mixture comes to; `mixture.json` beside mixed shards. */
export const mixturePlan = z.strictObject({
  groups: z.array(plannedGroup),
  documents: count,
  availableTokens: count,
  /** Tokens that were asked for. */
  wantedTokens: count,
  /** Tokens of the shards. */
  tokens: count,
  copies: count,
});

export type MixturePlan = z.infer<typeof mixturePlan>;

/** A plan with what realises it. */
export interface Mixture extends MixturePlan {
  /** How often each document is seen, in the order in which they were given. */
  readonly counts: Uint32Array;
}

/**
 * Plans a mixture. Groups with a `share` get it; what is left goes to the others by weight × tokens^(1/temperature). A
 * group never gets more than maximumEpochs × its tokens: what it cannot take goes to the groups that can, in proportion
 * (water-filling). Targets that are no whole number of passes are made up of whole passes and of documents in the order of a hash of (seed, id), so that a larger plan only adds. Throws UsageError where
 * the settings name groups that have no documents, or ask for more than everything.
 */
export function planMixture(documents: Iterable<MixtureDocument>, settings: MixtureSettings): Mixture {
  const list = [...documents];
  const members = new Map<string, number[]>();
  for (const [index, { group }] of list.entries()) {
    const known = members.get(group);
    if (known === undefined) members.set(group, [index]);
    else known.push(index);
  }
  const empty = settings.groups.find(({ name, share, weight }) => !members.has(name) && (share ?? weight ?? 1) > 0);
  if (empty !== undefined) {
    throw new UsageError(`the mixture group "${empty.name}" has no training document`, {
      remedy: "Correct its conditions, or take it out of the mixture.",
    });
  }
  const sizes = [...members].map(([name, indices]) => {
    const tokens = indices.reduce((sum, index) => sum + list[index].tokens, 0);
    const {
      share,
      weight = 1,
      maximumEpochs = settings.maximumEpochs,
    } = settings.groups.find((one) => one.name === name) ?? {};
    return { name, indices, tokens, share, weight, maximumEpochs };
  });
  const availableTokens = sizes.reduce((sum, { tokens }) => sum + tokens, 0);
  const wantedTokens = settings.tokens ?? availableTokens;
  const shares = wantedShares(sizes, settings.temperature);
  const caps = sizes.map(({ tokens, maximumEpochs }) => Math.floor(tokens * maximumEpochs));
  const { targets, capped } = fill(wantedTokens, shares, caps);

  const counts = new Uint32Array(list.length);
  const drawn = sizes.map(({ indices, tokens }, at) => draw(list, indices, tokens, targets[at], settings.seed, counts));
  const tokens = drawn.reduce((sum, one) => sum + one.tokens, 0);
  const groups = sizes.map(
    ({ name, indices, tokens: available, maximumEpochs }, at): PlannedGroup => ({
      name,
      documents: indices.length,
      availableTokens: available,
      wantedShare: shares[at],
      maximumEpochs,
      capped: capped[at],
      tokens: drawn[at].tokens,
      share: tokens === 0 ? 0 : drawn[at].tokens / tokens,
      epochs: available === 0 ? 0 : drawn[at].tokens / available,
      copies: drawn[at].copies,
    }),
  );
  return {
    groups: groups.sort((a, b) => b.tokens - a.tokens || (a.name < b.name ? -1 : 1)),
    documents: list.length,
    availableTokens,
    wantedTokens,
    tokens,
    copies: drawn.reduce((sum, { copies }) => sum + copies, 0),
    counts,
  };
}

interface Size {
  readonly tokens: number;
  readonly share?: number;
  readonly weight: number;
}

/** Shares that sum to 1. */
function wantedShares(sizes: readonly Size[], temperature: number): number[] {
  const fixed = sizes.reduce((sum, { share = 0 }) => sum + share, 0);
  const masses = sizes.map(({ share, weight, tokens }) =>
    share === undefined ? weight * tokens ** (1 / temperature) : 0,
  );
  const mass = masses.reduce((sum, one) => sum + one, 0);
  // Published shares are rounded: where nothing else is there to take the rest, they are proportions.
  if (mass === 0) {
    if (fixed === 0) throw new UsageError("every group of the mixture has the share or weight 0");
    return sizes.map(({ share = 0 }) => share / fixed);
  }
  if (fixed > 1 + 1e-9) {
    throw new UsageError(`the shares of the mixture sum to ${fixed}, and other groups have weights`, {
      remedy: "Lower the shares, or give the other groups the weight 0.",
    });
  }
  return sizes.map(({ share }, at) => share ?? (Math.max(0, 1 - fixed) * masses[at]) / mass);
}

/** Water-filling: `total` by shares, no group above its cap; sums to `total` or to what the caps of sharing groups allow. */
function fill(
  total: number,
  shares: readonly number[],
  caps: readonly number[],
): { targets: number[]; capped: boolean[] } {
  const capped = shares.map(() => false);
  for (;;) {
    const taken = caps.reduce((sum, cap, at) => sum + (capped[at] ? cap : 0), 0);
    const open = shares.reduce((sum, share, at) => sum + (capped[at] ? 0 : share), 0);
    const level = open === 0 ? 0 : (total - taken) / open;
    // A share of exactly the cap is no loss: the cap does not bind.
    const over = shares.flatMap((share, at) => (!capped[at] && wholeTokens(share * level) > caps[at] ? [at] : []));
    if (over.length === 0) {
      return { targets: caps.map((cap, at) => (capped[at] ? cap : wholeTokens(shares[at] * level))), capped };
    }
    for (const at of over) capped[at] = true;
  }
}

/** Rounds down, but for what rounding took from a whole number. */
function wholeTokens(tokens: number): number {
  return Math.floor(tokens * (1 + 1e-12) + 1e-6);
}

/** Sets the counts of a group's documents so that they come to `target` tokens or, by less than one document, fewer. */
function draw(
  documents: readonly MixtureDocument[],
  indices: readonly number[],
  available: number,
  target: number,
  seed: number,
  counts: Uint32Array,
): { tokens: number; copies: number } {
  const passes = available === 0 ? 0 : Math.floor(target / available);
  for (const index of indices) counts[index] = passes;
  let [tokens, copies] = [passes * available, passes * indices.length];
  if (tokens === target) return { tokens, copies };
  const ordered = indices
    .map((index) => ({ index, place: placeOf(documents[index].id, seed) }))
    .sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : a.index - b.index));
  for (const { index } of ordered) {
    // Stopping at the first that does not fit: passing over it would favour short documents.
    if (tokens + documents[index].tokens > target) break;
    tokens += documents[index].tokens;
    copies++;
    counts[index]++;
  }
  return { tokens, copies };
}

function placeOf(id: string, seed: number): string {
  return createHash("sha256").update(`mixture\n${seed}\n${id}`).digest("hex").slice(0, 16);
}
