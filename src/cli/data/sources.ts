/** Sources on the command line: `jsonl:forum.jsonl.gz?text=body&kind=web`. */
import { type CorpusSourceInput, readerCatalogue } from "../../corpus/index.ts";
import { nearest, UsageError } from "../../foundation/index.ts";

/** Settings that name a field of a record; all others are settings of the source itself. */
const fieldNames = ["text", "url", "license", "image", "caption"];

/** The readers that a source may name, for help. */
export const readerNames = readerCatalogue.map(({ name }) => name);

/** `<reader>:<path>[?setting=value&…]` as a source. Its settings are checked where the corpus is built. */
export function namedSource(text: string): CorpusSourceInput {
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(0, colon));
  const reader = readerNames.find((one) => one === name);
  if (reader === undefined) {
    const near = nearest(name, readerNames);
    throw new UsageError(`"${text}" names no reader; expected <reader>:<path>, e.g. jsonl:data.jsonl.gz`, {
      remedy:
        near === undefined
          ? `Readers are ${readerNames.join(", ")}.`
          : `Did you mean ${near}:${text.slice(colon + 1)}?`,
    });
  }
  const [path, query = ""] = text.slice(colon + 1).split("?", 2);
  const settings: Record<string, string> = {};
  const fields: Record<string, string> = {};
  for (const [setting, value] of new URLSearchParams(query)) {
    if (fieldNames.includes(setting)) fields[setting === "license" ? "licence" : setting] = value;
    else settings[setting] = value;
  }
  // The schema of the sources is strict: a setting that the reader lacks is an error there.
  return { reader, path, ...settings, ...(Object.keys(fields).length === 0 ? {} : { fields }) } as CorpusSourceInput;
}
