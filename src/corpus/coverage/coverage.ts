/** Evaluation coverage: what share of a task's words, n-grams and topics the training documents hold. */
import { bootstrapMean, type Estimate } from "../../foundation/index.ts";
import { GramIndex, type LoadedEvaluationSet } from "../decontamination/index.ts";
import type { DocumentStore } from "../store/index.ts";
import { buildTextLibrary, useTextKernels } from "../text/index.ts";
import { findTopics, type ItemWords, type Topic } from "./topics.ts";

/** Coverage of the n-grams of one length; case and punctuation do not count. */
export interface GramCoverage {
  /** Words of an n-gram; 1 is the vocabulary. */
  readonly n: number;
  /** Different n-grams of the task, and those of them that stand in a training document. */
  readonly distinct: number;
  readonly covered: number;
  /** Items that have an n-gram of the length, and the mean over them of the share that is covered; null where none has. */
  readonly items: number;
  readonly ofItem: Estimate | null;
}

/** A topic of a task, and the training documents about it. */
export interface TopicCoverage {
  /** The task's own label, or null where topics were found by clustering. */
  readonly label: string | null;
  /** What characterizes it, most telling first. */
  readonly words: readonly string[];
  readonly items: number;
  /** Training documents with a passage of some 200 words that has three of these, and their bytes. */
  readonly documents: number;
  readonly bytes: number;
  readonly covered: boolean;
}

/** One task held against the training documents. */
export interface TaskCoverage {
  readonly name: string;
  readonly sha256: string;
  /** Items of the task, and those looked at: an even sample of a large one. */
  readonly items: number;
  readonly sampled: number;
  readonly documents: number;
  readonly grams: readonly GramCoverage[];
  readonly topics: readonly TopicCoverage[];
  /** Share of the items whose topic is covered; null where no topic was found. */
  readonly itemsInCoveredTopics: Estimate | null;
}

/** N-grams are looked at up to GPT-3's length. */
export const longestGram = 13;
/** A topic is covered from so many documents on. */
export const coveringDocuments = 10;
/** So many of a topic's words must stand together. */
const wordsTogether = 3;
/** What a text says of a topic it says within some 200 words. */
const passageCharacters = 1200;
const maximumItems = 20_000;

/**
 * Holds every set against the training documents of a store, in two passes. Intervals are 95 % bootstrap intervals over
 * items: the items stand for all that the task could have asked.
 */
export async function coverageOf(
  store: DocumentStore,
  sets: readonly LoadedEvaluationSet[],
  onDocument?: (done: number) => void,
): Promise<TaskCoverage[]> {
  useTextKernels(await buildTextLibrary());
  const tasks = sets.map(prepare);
  let [documents, done] = [0, 0];
  for await (const { text } of store.documents({ split: "train" })) {
    documents++;
    for (const task of tasks) note(task, text);
    onDocument?.(++done);
  }
  const found = tasks.map((task) => ({ task, topics: topicsOf(task, documents) }));
  for await (const { text, bytes } of store.documents({ split: "train" })) {
    for (const { task, topics } of found) countTopics(task, topics, text, bytes);
    onDocument?.(++done);
  }
  return found.map(({ task, topics }) => resultOf(task, topics, documents));
}

interface Task {
  readonly set: LoadedEvaluationSet;
  readonly chosen: readonly number[];
  /** By n − 1. */
  readonly indices: readonly GramIndex[];
  readonly seen: readonly Uint8Array[];
  /** Documents that hold each word, by the word's number. */
  readonly documentFrequency: Uint32Array;
  readonly lastDocument: Int32Array;
  noted: number;
}

function prepare(set: LoadedEvaluationSet): Task {
  const stride = Math.max(1, Math.ceil(set.items.length / maximumItems));
  const chosen = set.items.flatMap((_, index) => (index % stride === 0 ? [index] : []));
  const texts = chosen.flatMap((index) => set.items[index]);
  const indices = Array.from({ length: longestGram }, (_, at) => new GramIndex([texts], at + 1));
  const [{ grams: words }] = indices;
  return {
    ...{ set, chosen, indices, seen: indices.map(({ grams }) => new Uint8Array(grams)) },
    ...{ documentFrequency: new Uint32Array(words), lastDocument: new Int32Array(words).fill(-1), noted: 0 },
  };
}

/** Marks what a training document holds. */
function note(task: Task, text: string): void {
  const document = task.noted++;
  for (const [at, index] of task.indices.entries()) {
    const { count, values } = index.find(text);
    // A longer n-gram holds a shorter one: where there is none of this length, there is none of the next.
    if (count === 0) break;
    for (let match = 0; match < count; match++) {
      const gram = values[match];
      task.seen[at][gram] = 1;
      if (at > 0 || task.lastDocument[gram] === document) continue;
      task.lastDocument[gram] = document;
      task.documentFrequency[gram]++;
    }
  }
}

interface CountedTopic extends Topic {
  documents: number;
  bytes: number;
}

function topicsOf({ set, chosen, indices, documentFrequency }: Task, documents: number): CountedTopic[] {
  const [words] = indices;
  const spelled = new Map<number, string>();
  const items = chosen.map((item): ItemWords => {
    const counts = new Map<number, number>();
    for (const text of set.items[item]) {
      const { count, values, starts, ends } = words.find(text);
      for (let match = 0; match < count; match++) {
        const word = values[match];
        counts.set(word, (counts.get(word) ?? 0) + 1);
        if (!spelled.has(word)) spelled.set(word, text.slice(starts[match], ends[match]).toLowerCase());
      }
    }
    return counts;
  });
  const weightOf = (word: number) => Math.log((1 + documents) / (1 + documentFrequency[word]));
  const labels = set.topics && chosen.map((item) => set.topics![item]);
  return findTopics(items, weightOf, spelled, labels).map((topic) => ({ ...topic, documents: 0, bytes: 0 }));
}

function countTopics({ indices: [words] }: Task, topics: readonly CountedTopic[], text: string, bytes: number): void {
  const { count, values, starts } = words.find(text);
  for (const topic of topics) {
    const own = new Map(topic.words.map(({ word }, at) => [word, at]));
    if (!standTogether(own, Math.min(own.size, wordsTogether), values.subarray(0, count), starts)) continue;
    topic.documents++;
    topic.bytes += bytes;
  }
}

/** Whether so many different words of a topic stand within a passage: a long document holds any word somewhere. */
function standTogether(
  topic: ReadonlyMap<number, number>,
  wanted: number,
  words: Uint32Array,
  starts: Int32Array,
): boolean {
  const last = Array<number>(topic.size).fill(Number.NEGATIVE_INFINITY);
  for (const [match, word] of words.entries()) {
    const at = topic.get(word);
    if (at === undefined) continue;
    last[at] = starts[match];
    if (last.filter((place) => starts[match] - place < passageCharacters).length >= wanted) return true;
  }
  return false;
}

function resultOf(
  { set, chosen, indices, seen }: Task,
  topics: readonly CountedTopic[],
  documents: number,
): TaskCoverage {
  const isCovered = (topic: CountedTopic) => topic.documents >= coveringDocuments;
  const inTopics = topics.flatMap((topic) => Array<number>(topic.items).fill(Number(isCovered(topic))));
  return {
    ...{ name: set.name, sha256: set.sha256, items: set.items.length, sampled: chosen.length, documents },
    grams: indices.map((index, at) => gramCoverage(index, seen[at], set, chosen)),
    topics: topics.map((topic) => ({
      label: topic.label,
      words: topic.words.map(({ text }) => text),
      items: topic.items,
      documents: topic.documents,
      bytes: topic.bytes,
      covered: isCovered(topic),
    })),
    itemsInCoveredTopics: inTopics.length === 0 ? null : bootstrapMean(inTopics),
  };
}

function gramCoverage(
  index: GramIndex,
  seen: Uint8Array,
  set: LoadedEvaluationSet,
  chosen: readonly number[],
): GramCoverage {
  const distinct = new Set<number>();
  const shares: number[] = [];
  for (const item of chosen) {
    let [all, found] = [0, 0];
    for (const text of set.items[item]) {
      const { count, values } = index.find(text);
      all += count;
      for (let match = 0; match < count; match++) {
        distinct.add(values[match]);
        found += seen[values[match]];
      }
    }
    if (all > 0) shares.push(found / all);
  }
  return {
    n: index.n,
    distinct: distinct.size,
    covered: [...distinct].reduce((sum, gram) => sum + seen[gram], 0),
    items: shares.length,
    ofItem: shares.length === 0 ? null : bootstrapMean(shares),
  };
}
