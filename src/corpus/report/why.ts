/** The story of one document: everything that was measured, what was asked of it, and what decided. */
import { TilthError } from "../../foundation/index.ts";
import { formatBytes, formatCount, formatValue, printable, shorten } from "../display.ts";
import type { DocumentRow } from "../document.ts";
import type { DocumentStore } from "../store/index.ts";
import { storedSettings, thresholdFor } from "./thresholds.ts";

/** One measured value beside what the filter asked for; `passes` is null where nothing was asked. */
export interface JudgedMeasure {
  readonly measure: string;
  readonly value: number;
  readonly threshold: string | null;
  readonly passes: boolean | null;
}

/** A document with what its measures were held against, and the others of its cluster. */
export interface DocumentStory {
  readonly row: DocumentRow;
  readonly measures: readonly JudgedMeasure[];
  /** What the language rule asked of prose; null for other kinds. */
  readonly languageRule: string | null;
  /** The other members of its cluster of duplicates, the kept one first. */
  readonly duplicates: readonly Pick<DocumentRow, "id" | "source" | "path" | "kept">[];
}

/**
 * The story of the document whose id starts with `subject`, or whose path or `source/path` ends with it. Throws TilthError
 * where there is none, or several, naming some of them.
 */
export async function documentStory(store: DocumentStore, subject: string): Promise<DocumentStory> {
  const row = await store.row(await idOf(store, subject));
  const settings = storedSettings(store.manifest);
  const failed = new Set(row.rejections.map(({ rule }) => rule));
  const cluster = row.clusterSize > 1 ? await store.rowsOfCluster(row.cluster) : [];
  const language = settings?.language;
  return {
    row,
    measures: Object.entries(row.measures).map(([measure, value]) => {
      const threshold = thresholdFor(row.kind, measure, settings);
      return { measure, value, threshold, passes: threshold === null ? null : !failed.has(measure) };
    }),
    languageRule:
      language === undefined || !["web", "prose", "caption"].includes(row.kind)
        ? null
        : `${language.accepted.join(" or ")} with a score of at least ${language.minimumScore}${language.acceptUndetermined ? ", or too short to tell" : ""}`,
    duplicates: cluster
      .filter(({ id }) => id !== row.id)
      .map(({ id, source, path, kept }) => ({ id, source, path, kept })),
  };
}

async function idOf(store: DocumentStore, subject: string): Promise<string> {
  if (/^[0-9a-f]{4,16}$/i.test(subject)) return subject;
  const found = await store.query(
    "SELECT id, source, path FROM documents WHERE path = $1 OR ends_with(source || '/' || path, $1) ORDER BY path = $1 DESC, kept DESC, id LIMIT 6",
    [subject],
  );
  if (found.length === 0) {
    throw new TilthError(`no document has the id or path "${subject}"`, {
      remedy: "Give the first digits of an id, a path, or the end of one; tilth data sample shows some.",
    });
  }
  if (found.length > 1) {
    const names = found.slice(0, 5).map(({ id, source, path }) => `${id} ${source} ${path}`);
    throw new TilthError(`"${subject}" fits several documents: ${names.join("; ")}${found.length > 5 ? "; …" : ""}`, {
      remedy: "Give an id, or more of the path.",
    });
  }
  return String(found[0].id);
}

const width = 46;

/** The story as text. */
export function renderStory({ row, measures, languageRule, duplicates }: DocumentStory): string {
  const { licence } = row;
  const judged = measures.filter(({ threshold }) => threshold !== null);
  const others = measures.filter(({ threshold }) => threshold === null);
  const measureLine = ({ measure, value, threshold, passes }: JudgedMeasure) =>
    `  ${passes === false ? "✗" : passes ? "✓" : " "} ${measure.padEnd(width)} ${formatValue(value).padStart(12)}${threshold === null ? "" : `   asked for: ${threshold}`}`;
  const lines = [
    `Document    ${row.id}`,
    `  source    ${printable(row.source)}`,
    `  path      ${printable(row.path)} (${row.kind}, ${formatBytes(row.bytes)})`,
    `Verdict     ${row.kept ? `kept, in the ${row.split} part` : "rejected"}`,
    ...row.rejections.map(
      ({ stage, rule, value, expected }, index) =>
        `  against   ${stage}: ${rule}${value === undefined ? "" : ` is ${typeof value === "number" ? formatValue(value) : printable(value)}`}${expected === undefined ? "" : `, expected ${printable(expected)}`}${index === 0 ? " (the reason of record)" : ""}`,
    ),
    `Licence     ${printable(licence.expression)}: ${row.licenceDecision}, by ${printable(row.licenceRule)}`,
    `  evidence  ${printable(licence.evidence)} (confidence ${formatValue(licence.confidence)})`,
    `Language    ${row.language}, score ${row.languageScore.toFixed(3)}${secondOpinion(row)}${languageRule === null ? " (only prose is judged by its language)" : `; asked for: ${languageRule}`}`,
    `Duplicates  ${row.clusterSize > 1 ? `cluster ${row.cluster} of ${formatCount(row.clusterSize)}: ${printable(row.clusterReason)}` : "none"}`,
    ...duplicates
      .slice(0, 8)
      .map(
        ({ id, source, path, kept }) =>
          `  ${kept ? "kept" : "not "}      ${id} ${shorten(printable(`${source} ${path}`), 70)}`,
      ),
    ...(duplicates.length > 8 ? [`  …         and ${formatCount(duplicates.length - 8)} more`] : []),
    judged.length > 0 ? "Measures that judged" : "No measure judged this kind of document",
    ...judged.map(measureLine),
    ...(others.length > 0 ? ["Measures that were stored without judging", ...others.map(measureLine)] : []),
  ];
  return `${lines.join("\n")}\n`;
}

function secondOpinion({ secondLanguage, secondLanguageScore }: DocumentRow): string {
  return secondLanguage === null
    ? ""
    : `; a second identifier says ${secondLanguage}, ${secondLanguageScore?.toFixed(3)}`;
}
