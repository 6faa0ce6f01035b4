/** The attribution file: whose work is in the training set, and under which licence. */
import { z } from "zod";
import { formatCount, printable } from "../display.ts";
import type { DocumentStore } from "../store/index.ts";

const sourceRow = z.object({
  source: z.string(),
  licence: z.string(),
  evidence: z.string(),
  documents: z.number(),
});

const textRow = z.object({ source: z.string(), text: z.string() });

/** Enough for any honest notice; bundles of third-party notices list thousands. */
const maximumLines = 20;
const licencePath = "(^|/)[^/]*(licen[cs]e|copying|notice|copyright)[^/]*$";

/**
 * ATTRIBUTION.md of a store: every source that has kept documents, with its licences, their evidence and the copyright
 * lines of the licence files that lie with it. These are read from the store, also where they were rejected themselves
 * (most are duplicates of each other).
 */
export async function renderAttribution(store: DocumentStore): Promise<string> {
  const sources = z.array(sourceRow).parse(
    await store.query(`
      SELECT source, licence, any_value(licence_evidence) AS evidence, count(*) AS documents
      FROM documents WHERE kept GROUP BY source, licence ORDER BY source, licence`),
  );
  const notices = await copyrightLines(store);
  const sections = sources.map(({ source, licence, evidence, documents }) =>
    [
      `## ${plain(source)}`,
      "",
      `Licence: ${plain(licence)} (${plain(evidence)}). ${formatCount(documents)} ${documents === 1 ? "document" : "documents"}.`,
      ...(notices.get(source) ?? []).map((line, index) => `${index === 0 ? "\n" : ""}- ${plain(line)}`),
    ].join("\n"),
  );
  return `# Attribution\n\nThe training set holds text from these sources. Corpus key: ${store.manifest.key}.\n\n${sections.join("\n\n")}\n`;
}

async function copyrightLines(store: DocumentStore): Promise<Map<string, string[]>> {
  const texts = z.array(textRow).parse(
    await store.query(
      `SELECT source, text FROM documents
       WHERE kind = 'prose' AND regexp_matches(lower(path), $1) AND source IN (SELECT source FROM documents WHERE kept)
       ORDER BY source, path`,
      [licencePath],
    ),
  );
  const lines = new Map<string, string[]>();
  for (const { source, text } of texts) {
    const known = lines.get(source) ?? [];
    for (const line of text.split("\n")) {
      const notice = copyrightLine(line);
      if (notice !== undefined && known.length < maximumLines && !known.includes(notice)) known.push(notice);
    }
    lines.set(source, known);
  }
  return lines;
}

/** The line if it names a holder: "the copyright notice" inside a licence's sentences does not. */
function copyrightLine(line: string): string | undefined {
  const trimmed = line.replace(/^[\s*#/>-]+/, "").trim();
  if (trimmed.length > 300 || !/^(portions )?(copyright|©|\(c\))/i.test(trimmed)) return undefined;
  // "(c) You must retain …" numbers a clause.
  const named = /^copyright:? (\(c\) |© )?(by )?\p{Lu}/iu.test(trimmed) && /^(portions )?copyright/i.test(trimmed);
  if (!/\d{4}/.test(trimmed) && !named) return undefined;
  // The blank form in the Apache licence's appendix is nobody's notice.
  return /\[yyyy\]|\{yyyy\}|<year>|copyright (notice|owner|holder|licen[cs]e|law|statement)/i.test(trimmed)
    ? undefined
    : trimmed;
}

function plain(text: string): string {
  return printable(text).replace(/[\\|`*_[\]<>#]/g, "\\$&");
}
