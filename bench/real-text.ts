/** Real text in many scripts that a Debian-like machine holds: package sources and documentation, manual pages, locales. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const folders = [
  "node_modules",
  ...[
    "/usr/share/i18n/locales",
    "/usr/share/man",
    "/usr/share/doc",
    "/usr/share/perl",
    "/usr/lib/python3",
    "/usr/lib/python3.11",
  ],
  ...["/usr/share/locale", "/usr/local/lib/node_modules", "/usr/share/nodejs"],
  ...(process.env.TILTH_BENCH_TEXT ?? "").split(":").filter((folder) => folder !== ""),
];
const text =
  /\.(md|txt|rst|html?|[cm]?[jt]sx?|json|py|pm|pl|po|xml|ya?ml|css|c|h|cpp|[1-8])$|\/locales\/[^/]+$|\/(README|LICENSE|copyright|changelog|NEWS)[^/]*$/;
const largestBytes = 1 << 20;

/** Documents of valid UTF-8 until they have `bytes`, the same folder's not one after the other. */
export function realText(bytes: number): string[] {
  const walks = folders.filter((folder) => existsSync(folder)).map((folder) => files(folder));
  const documents: string[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let total = 0;
  while (walks.length > 0 && total < bytes) {
    for (const walk of [...walks]) {
      const { value: path, done } = walk.next();
      if (done) {
        walks.splice(walks.indexOf(walk), 1);
        continue;
      }
      try {
        const raw = readFileSync(path);
        const content = path.endsWith(".gz") ? gunzipSync(raw) : raw;
        documents.push(decoder.decode(content));
        total += content.length;
      } catch {
        // Not UTF-8, or not to be read.
      }
    }
  }
  return documents;
}

function* files(folder: string): Generator<string> {
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(folder);
  } catch {
    return;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile() && text.test(path.replace(/\.gz$/, "")) && statSync(path).size < largestBytes) yield path;
  }
}

function entriesOf(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}
