/** Image-text sets: the documents are captions, each with a reference to its image. Images are not decoded here. */
import { statSync } from "node:fs";
import { basename, dirname, extname, posix, resolve } from "node:path";
import { pipeline } from "node:stream";
import { extract } from "tar-stream";
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import { findLicence } from "../licences/index.ts";
import type { ReaderContext, WorkItem } from "./define.ts";
import { defineReader } from "./define.ts";
import { failed, filesAt, listRecords, optionalLicence } from "./records.ts";
import { commonShape, declaredLicence, pathSetting, sourceName } from "./source.ts";
import type { SourceEvent } from "./spool.ts";
import { compressions, linesOf, openBytes } from "./streams.ts";
import { type FoundFile, licenceFilesIn } from "./walk.ts";

const schema = settingsObject("images source", {
  reader: z.literal("images"),
  path: pathSetting,
  ...commonShape,
  fields: settingsObject("fields", {
    image: z.string().min(1).default("image").describe("field of the image's path, from the JSON lines' folder"),
    caption: z.string().min(1).default("caption").describe("field of the caption"),
    url: z.string().min(1).default("url").describe("field of the image's address"),
    licence: z.string().min(1).default("license").describe("field of its licence"),
  }).prefault({}),
});
type ImagesSource = z.output<typeof schema>;

const imageExtensions = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif", ".tif", ".tiff"];
/** What holds a caption beside an image of the same name: webdataset's names, and those of caption folders. */
const captionExtensions = [".txt", ".caption", ".text"];
const tarExtensions = [".tar", ".tar.gz"];
const listExtensions = [".jsonl", ".ndjson"].flatMap((extension) => compressions.map((one) => extension + one));

/** Reads captions: webdataset archives, JSON lines, and folders with a text file beside each image. */
export const imagesReader = defineReader({
  schema,
  title: "captions of images",
  describe: "captions of images: webdataset tar, JSON lines (image, caption), or a text file beside each image",
  async *list(source, context) {
    const path = resolve(context.baseFolder, source.path);
    const files = [...filesAt(path, [...tarExtensions, ...listExtensions, ...imageExtensions], context)];
    const endsIn = ({ name }: FoundFile, extensions: readonly string[]) =>
      extensions.some((extension) => name.toLowerCase().endsWith(extension));
    for (const { file } of files.filter((one) => endsIn(one, tarExtensions))) {
      yield* listRecords(
        "images",
        { ...source, path: file, name: nameOf(source, path) },
        context,
        tarExtensions,
        () => tarRecords(file, source, context.maximumFileBytes),
        "caption",
      );
    }
    const lists = files.filter((one) => endsIn(one, listExtensions));
    for (const { file } of lists) {
      yield* listRecords(
        "images",
        { ...source, path: file, name: nameOf(source, path) },
        context,
        listExtensions,
        () => listedCaptions(file, source, context.maximumFileBytes),
        "caption",
      );
    }
    // Images that a list names have their captions there.
    if (lists.length === 0)
      yield* captionsBeside(
        files.filter((one) => endsIn(one, imageExtensions)),
        source,
        path,
        context,
      );
  },
});

function nameOf(source: ImagesSource, path: string): string {
  return source.name ?? basename(path);
}

async function* listedCaptions(file: string, source: ImagesSource, maximumBytes: number): AsyncGenerator<SourceEvent> {
  const { fields } = source;
  for await (const line of linesOf(openBytes(file), maximumBytes)) {
    if ("tooLong" in line) yield failed("images.lineBytes", line.tooLong, `at most ${maximumBytes}`);
    else if (line.bytes.length > 0) {
      const record = objectIn(line.bytes);
      const image = record?.[fields.image];
      const caption = record?.[fields.caption];
      if (typeof image !== "string" || typeof caption !== "string") {
        yield failed(
          "images.fields",
          line.bytes.toString("utf8"),
          `an object with "${fields.image}" and "${fields.caption}"`,
        );
      } else {
        yield captionRecord(caption, image, record!, fields);
      }
    }
  }
}

function captionRecord(
  caption: string,
  image: string,
  record: Readonly<Record<string, unknown>>,
  fields: ImagesSource["fields"],
): SourceEvent {
  const url = record[fields.url];
  return {
    content: caption,
    format: "text",
    kind: "caption",
    image,
    ...(typeof url === "string" && url !== "" ? { url } : {}),
    ...optionalLicence(record[fields.licence], `field "${fields.licence}"`),
  };
}

/** Members of one sample share their name up to the first dot of the base name and follow each other (webdataset). */
async function* tarRecords(file: string, source: ImagesSource, maximumBytes: number): AsyncGenerator<SourceEvent> {
  const archive = extract();
  // A pipeline, unlike a pipe, hands the failure of either side to the other.
  pipeline(openBytes(file), archive, () => {});
  let sample: Sample | undefined;
  for await (const entry of archive) {
    const { name, size = 0, type } = entry.header;
    const [key, extension] = splitName(name);
    if (type === "file" && sample?.key !== key) {
      if (sample !== undefined) yield sampleRecord(sample, basename(file), source);
      sample = { key };
    }
    if (type === "file" && sample !== undefined) {
      if (imageExtensions.includes(extension)) sample.image = name;
      else if (size <= maximumBytes && captionExtensions.includes(extension)) sample.caption = await textOf(entry);
      else if (size <= maximumBytes && extension === ".json") sample.json = objectIn(Buffer.from(await textOf(entry)));
    }
    entry.resume();
  }
  if (sample !== undefined) yield sampleRecord(sample, basename(file), source);
}

interface Sample {
  readonly key: string;
  image?: string;
  caption?: string;
  json?: Readonly<Record<string, unknown>>;
}

function sampleRecord(sample: Sample, archive: string, { fields }: ImagesSource): SourceEvent {
  const caption = sample.caption ?? sample.json?.[fields.caption];
  if (sample.image === undefined) return { skipped: "webdataset sample without an image" };
  if (typeof caption !== "string")
    return failed("images.caption", sample.key, `a .txt or a .json with "${fields.caption}"`);
  return captionRecord(caption, `${archive}#${sample.image}`, sample.json ?? {}, fields);
}

function splitName(name: string): [key: string, extension: string] {
  const base = posix.basename(name);
  const dot = base.indexOf(".");
  if (dot < 0) return [name, ""];
  return [name.slice(0, name.length - base.length + dot), base.slice(base.lastIndexOf(".")).toLowerCase()];
}

async function textOf(entry: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function* captionsBeside(
  images: readonly FoundFile[],
  source: ImagesSource,
  path: string,
  context: ReaderContext,
): Generator<WorkItem> {
  const licence =
    source.licence === undefined
      ? findLicence(undefined, licenceFilesIn(statSync(path).isFile() ? dirname(path) : path, context.skipped))
      : declaredLicence(source.licence);
  for (const image of images) {
    const stem = image.file.slice(0, -extname(image.file).length);
    const caption = captionExtensions
      .map((extension) => ({ file: stem + extension, extension }))
      .find(({ file }) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
    if (caption === undefined) {
      context.skipped.set("image without a caption", (context.skipped.get("image without a caption") ?? 0) + 1);
      continue;
    }
    yield {
      source: sourceName("images", source, path),
      path: image.path.slice(0, -extname(image.path).length) + caption.extension,
      file: caption.file,
      size: statSync(caption.file).size,
      kind: "caption",
      format: "text",
      licence,
      image: image.path,
    };
  }
}

function objectIn(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return value !== null && typeof value === "object" && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
