/** Topics of a task's items: its own labels, or spherical k-means over TF-IDF vectors (Dhillon and Modha 2001). */
import { Random } from "../../foundation/index.ts";

/** How often each word, by its number, occurs in an item. */
export type ItemWords = ReadonlyMap<number, number>;

/** A topic: what characterizes it, and how many items it has. */
export interface Topic {
  readonly label: string | null;
  /** Most telling first. */
  readonly words: readonly { readonly word: number; readonly text: string }[];
  readonly items: number;
}

const wordsOfTopic = 10;
const mostTopics = 20;
const rounds = 25;
/** Words that most items share are looked at, so that vectors stay short. */
const mostWords = 5000;

/** A vector of length 1, sparse. */
type Vector = ReadonlyMap<number, number>;

/**
 * The topics of items, those with most items first: by `labels` where the task has some, else by clustering into about
 * √(items / 2) topics, at most 20; the start is drawn by a fixed seed, so that the same items give the same topics. A word's
 * weight is `weightOf`, its inverse document frequency in the corpus, times that among the items: what all of them say is no topic. Items without a known word, and topics of one word, are left out.
 */
export function findTopics(
  items: readonly ItemWords[],
  weightOf: (word: number) => number,
  spelled: ReadonlyMap<number, string>,
  labels?: readonly (string | null)[],
): Topic[] {
  const frequency = itemFrequency(items);
  const known = commonWords(frequency, items.length);
  const weight = (word: number) => weightOf(word) * Math.log((1 + items.length) / (1 + frequency.get(word)!));
  const vectors = items.map((item) => vectorOf(item, weight, known));
  const members = labels === undefined ? clusters(vectors) : groups(vectors, labels);
  return members
    .map(({ label, vectors: own }) => ({ label, words: telling(centroid(own), spelled), items: own.length }))
    .filter(({ words }) => words.length > 1)
    .sort((a, b) => b.items - a.items || (a.words[0].text < b.words[0].text ? -1 : 1));
}

/** In how many items each word is. */
function itemFrequency(items: readonly ItemWords[]): Map<number, number> {
  const frequency = new Map<number, number>();
  for (const item of items) for (const word of item.keys()) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  return frequency;
}

/** Words of two items or more (of one where there is but one item). */
function commonWords(frequency: ReadonlyMap<number, number>, items: number): ReadonlySet<number> {
  const least = Math.min(2, items);
  return new Set(
    [...frequency]
      .filter(([, count]) => count >= least)
      .sort(([a, x], [b, y]) => y - x || a - b)
      .slice(0, mostWords)
      .map(([word]) => word),
  );
}

function vectorOf(item: ItemWords, weightOf: (word: number) => number, known: ReadonlySet<number>): Vector {
  const weights = new Map<number, number>();
  for (const [word, count] of item) {
    const weight = weightOf(word);
    if (known.has(word) && weight > 0) weights.set(word, (1 + Math.log(count)) * weight);
  }
  return normalized(weights);
}

function normalized(vector: Map<number, number>): Vector {
  const length = Math.sqrt([...vector.values()].reduce((sum, value) => sum + value * value, 0));
  for (const [word, value] of vector) vector.set(word, value / length);
  return vector;
}

function centroid(vectors: readonly Vector[]): Vector {
  const sums = new Map<number, number>();
  for (const vector of vectors) for (const [word, value] of vector) sums.set(word, (sums.get(word) ?? 0) + value);
  return normalized(sums);
}

/** Iterates over the first, which is the shorter one. */
function cosine(one: Vector, other: Vector): number {
  let sum = 0;
  for (const [word, value] of one) sum += value * (other.get(word) ?? 0);
  return sum;
}

interface Members {
  readonly label: string | null;
  readonly vectors: readonly Vector[];
}

function groups(vectors: readonly Vector[], labels: readonly (string | null)[]): Members[] {
  const byLabel = new Map<string, Vector[]>();
  vectors.forEach((vector, at) => {
    const label = labels[at];
    if (label === null) return;
    const own = byLabel.get(label);
    if (own === undefined) byLabel.set(label, [vector]);
    else own.push(vector);
  });
  return [...byLabel].map(([label, own]) => ({ label, vectors: own }));
}

function clusters(all: readonly Vector[]): Members[] {
  const vectors = all.filter(({ size }) => size > 0);
  const wanted = Math.min(mostTopics, vectors.length, Math.max(1, Math.round(Math.sqrt(vectors.length / 2))));
  let centres = firstCentres(vectors, wanted);
  let assigned: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const next = vectors.map((vector) => nearest(vector, centres));
    if (next.every((centre, at) => centre === assigned[at])) break;
    assigned = next;
    centres = centres.map((centre, at) => {
      const own = vectors.filter((_, index) => assigned[index] === at);
      return own.length === 0 ? centre : centroid(own);
    });
  }
  return centres
    .map((_, at) => ({ label: null, vectors: vectors.filter((_vector, index) => assigned[index] === at) }))
    .filter(({ vectors: own }) => own.length > 0);
}

/** k-means++: each further centre is an item, the likelier the less it is like the centres before it. */
function firstCentres(vectors: readonly Vector[], wanted: number): Vector[] {
  if (wanted === 0) return [];
  const random = new Random(0x70b1c);
  const centres = [vectors[random.below(vectors.length)]];
  const distances = vectors.map((vector) => 1 - cosine(vector, centres[0]));
  while (centres.length < wanted) {
    const total = distances.reduce((sum, one) => sum + Math.max(0, one), 0);
    let left = random.uniform() * total;
    const chosen = distances.findIndex((one) => {
      left -= Math.max(0, one);
      return left < 0;
    });
    if (chosen === -1) break;
    centres.push(vectors[chosen]);
    vectors.forEach((vector, at) => {
      distances[at] = Math.min(distances[at], 1 - cosine(vector, vectors[chosen]));
    });
  }
  return centres;
}

function nearest(vector: Vector, centres: readonly Vector[]): number {
  let [best, likeness] = [0, -1];
  for (const [at, centre] of centres.entries()) {
    const one = cosine(vector, centre);
    if (one > likeness) [best, likeness] = [at, one];
  }
  return best;
}

function telling(centre: Vector, spelled: ReadonlyMap<number, string>): Topic["words"] {
  return [...centre]
    .map(([word, value]) => ({ word, value, text: spelled.get(word)! }))
    .filter(({ text }) => text.length > 1)
    .sort((a, b) => b.value - a.value || (a.text < b.text ? -1 : 1))
    .slice(0, wordsOfTopic)
    .map(({ word, text }) => ({ word, text }));
}
