import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { TilthError } from "../../foundation/index.ts";
import { type ImageTextPair, isImageExtension, type PairReader, type PairSet, type SkippedPair } from "../pairs.ts";

/** A file within an archive. */
interface Member {
  readonly name: string;
  readonly start: number;
  readonly length: number;
}

const block = 512;

function shardsOf(path: string): string[] {
  if (path.endsWith(".tar")) return [path];
  if (!existsSync(path) || !statSync(path).isDirectory()) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(".tar"))
    .sort()
    .map((name) => join(path, name));
}

/**
 * webdataset shards: tar archives whose members `key.jpg`, `key.txt` (or `key.json` with a caption) belong together. Only
 * headers and captions are read here; an image is read from its place in the archive when its turn comes. Libraries for tar
 * read from front to end and do not tell where a member lies, which the order by (seed, step) needs.
 */
export const webdatasetReader: PairReader = {
  name: "webdataset",
  describe: "tar archives of key.jpg with key.txt or key.json",
  matches: (path) => shardsOf(path).length > 0,
  read(path) {
    const sets = shardsOf(path).map(readShard);
    return { pairs: sets.flatMap(({ pairs }) => pairs), skipped: sets.flatMap(({ skipped }) => skipped) };
  },
};

function readShard(path: string): PairSet {
  const pairs: ImageTextPair[] = [];
  const skipped: SkippedPair[] = [];
  const descriptor = openSync(path, "r");
  try {
    const samples = new Map<string, Map<string, Member>>();
    const damage = forEachMember(descriptor, path, (member) => {
      // The key is all before the first dot of the file's name.
      const file = basename(member.name);
      const dot = file.indexOf(".");
      if (dot <= 0) return;
      const key = member.name.slice(0, member.name.length - file.length + dot);
      const sample = samples.get(key) ?? new Map<string, Member>();
      samples.set(key, sample.set(file.slice(dot + 1).toLowerCase(), member));
    });
    if (damage !== undefined) skipped.push({ name: basename(path), reason: damage });
    for (const [key, sample] of samples) {
      const name = `${basename(path)}:${key}`;
      const image = [...sample].find(([extension]) => isImageExtension(`.${extension.split(".").at(-1)}`))?.[1];
      if (image === undefined) continue;
      const { captions, class: label } = describedBy(descriptor, sample);
      const { start, length } = image;
      if (captions.length === 0) skipped.push({ name, reason: "it has no caption" });
      else
        pairs.push({ name, image: { path, range: { start, length } }, captions, ...(label ? { class: label } : {}) });
    }
  } finally {
    closeSync(descriptor);
  }
  return { pairs, skipped };
}

function describedBy(descriptor: number, sample: ReadonlyMap<string, Member>): { captions: string[]; class?: string } {
  const text = (extension: string) => {
    const member = sample.get(extension);
    return member && readAt(descriptor, member.start, member.length).toString("utf8");
  };
  const label = text("cls.txt")?.trim();
  const written = text("txt") ?? text("caption");
  if (written !== undefined)
    return {
      captions: written
        .split("\n")
        .map((one) => one.trim())
        .filter(Boolean),
      class: label,
    };
  try {
    const { caption, text: other } = JSON.parse(text("json") ?? "{}") as { caption?: unknown; text?: unknown };
    return {
      captions: [caption ?? other].flat().filter((one): one is string => typeof one === "string" && one !== ""),
    };
  } catch {
    return { captions: [] };
  }
}

/** Calls `visit` for every regular file. Returns what is wrong with an archive that ends too early. */
function forEachMember(descriptor: number, path: string, visit: (member: Member) => void): string | undefined {
  const total = fstatSync(descriptor).size;
  let position = 0;
  let longName: string | undefined;
  while (position + block <= total) {
    const header = readAt(descriptor, position, block);
    if (header.every((byte) => byte === 0)) return undefined;
    if (!hasChecksum(header)) {
      if (position > 0) return `it is damaged at byte ${position}: what follows was not read`;
      throw new TilthError(`${path} is not a tar archive`, { remedy: "Unpack compressed archives first: gunzip." });
    }
    const length = sizeOf(header);
    const start = position + block;
    if (start + length > total) return `it ends in the middle of "${nameOf(header)}"`;
    const type = String.fromCharCode(header[156]);
    // GNU's long names ("L") and POSIX's extended headers ("x") name the member that follows.
    if (type === "L") longName = textOf(readAt(descriptor, start, length));
    else if (type === "x") longName = pathOfExtended(readAt(descriptor, start, length)) ?? longName;
    else {
      if (type === "0" || type === "\0") visit({ name: longName ?? nameOf(header), start, length });
      longName = undefined;
    }
    position = start + Math.ceil(length / block) * block;
  }
  return undefined;
}

function readAt(descriptor: number, start: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, length, start));
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

function nameOf(header: Buffer): string {
  const prefix = textOf(header.subarray(345, 500));
  const name = textOf(header.subarray(0, 100));
  return header.toString("latin1", 257, 262) === "ustar" && prefix !== "" ? `${prefix}/${name}` : name;
}

/** Octal, or big-endian with the highest bit set where octal digits do not suffice. */
function sizeOf(header: Buffer): number {
  if (header[124] & 0x80) return Number(header.readBigUInt64BE(128));
  return Number.parseInt(textOf(header.subarray(124, 136)).trim() || "0", 8);
}

/** The sum of the header's bytes, its own field counted as spaces. */
function hasChecksum(header: Buffer): boolean {
  let sum = 8 * 32;
  for (let i = 0; i < block; i++) if (i < 148 || i >= 156) sum += header[i];
  return Number.parseInt(textOf(header.subarray(148, 156)).trim(), 8) === sum;
}

/** The path in a POSIX extended header: lines of "length key=value". */
function pathOfExtended(bytes: Buffer): string | undefined {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(bytes.toString("utf8"))?.[1];
}
