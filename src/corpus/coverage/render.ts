/** Evaluation coverage for a terminal. */
import type { Estimate } from "../../foundation/index.ts";
import { formatBytes, formatCount, formatShare, printable, shorten } from "../display.ts";
import { coveringDocuments, type TaskCoverage } from "./coverage.ts";

const shownTopics = 10;

/** Words, n-grams and topics of each task, and how many of them the training documents hold. */
export function renderCoverage(tasks: readonly TaskCoverage[]): string {
  return tasks.map(renderTask).join("\n");
}

function renderTask({ name, items, sampled, documents, grams, topics, itemsInCoveredTopics }: TaskCoverage): string {
  const sample = sampled < items ? `, ${formatCount(sampled)} of them looked at` : "";
  return `${[
    `${printable(name)}: ${formatCount(items)} items${sample}, held against ${formatCount(documents)} training documents`,
    "   n    different     covered   share   of an item's n-grams (95 % interval)",
    ...grams.map(
      ({ n, distinct, covered, ofItem }) =>
        `  ${String(n).padStart(2)} ${formatCount(distinct).padStart(12)} ${formatCount(covered).padStart(11)} ${formatShare(covered, distinct).padStart(7)}   ${estimate(ofItem)}`,
    ),
    itemsInCoveredTopics === null
      ? "  no topic was found"
      : `  topics: ${topics.filter(({ covered }) => covered).length} of ${topics.length} have ${coveringDocuments} documents or more; they are those of ${estimate(itemsInCoveredTopics)} of the items`,
    ...topics
      .slice(0, shownTopics)
      .map(
        ({ label, words, items: own, documents: about, bytes }) =>
          `  ${formatCount(own).padStart(7)} items ${formatCount(about).padStart(8)} documents ${formatBytes(bytes).padStart(8)}  ${shorten(printable(label === null ? words.join(" ") : `${label}: ${words.join(" ")}`), 60)}`,
      ),
    ...(topics.length > shownTopics ? [`  … and ${topics.length - shownTopics} more with --json`] : []),
  ].join("\n")}\n`;
}

function estimate(one: Estimate | null): string {
  if (one === null) return "–";
  const [low, high] = one.interval;
  return `${formatShare(one.value, 1)} (${formatShare(low, 1)}–${formatShare(high, 1)})`;
}
