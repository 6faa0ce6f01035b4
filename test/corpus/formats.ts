/** Small files of every record format, made for tests by the libraries that such files are made with. */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { pack } from "tar-stream";
import { WARCRecord, WARCSerializer } from "warcio";

export const jsonLines = (records: readonly unknown[]) => `${records.map((one) => JSON.stringify(one)).join("\n")}\n`;

/** A Zstandard frame of raw blocks (RFC 8878, 3.1.1): valid for any decompressor, without needing a compressor. */
export function zstdFrame(content: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let from = 0; from < content.length || from === 0; from += 65536) {
    const piece = content.subarray(from, from + 65536);
    const last = from + 65536 >= content.length ? 1 : 0;
    const header = Buffer.alloc(3);
    header.writeUIntLE((piece.length << 3) | last, 0, 3);
    blocks.push(header, piece);
  }
  // No checksum, no dictionary, no content size, a window of 1 MiB.
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 10 << 3]), ...blocks]);
}

export interface Page {
  readonly url: string;
  readonly body: string | Buffer;
  readonly headers?: Record<string, string>;
  readonly status?: string;
}

/** A WARC file with a warcinfo record and a response for each page; gzip by record. */
export async function warcOf(pages: readonly Page[], gzip: boolean): Promise<Buffer> {
  const date = "2026-01-01T00:00:00Z";
  const records = [
    WARCRecord.createWARCInfo({ filename: "test.warc", date, warcVersion: "WARC/1.1" }, { software: "test" }),
    ...pages.map(
      ({ url, body, headers = { "Content-Type": "text/html; charset=utf-8" }, status = "HTTP/1.1 200 OK" }) =>
        WARCRecord.create(
          { url, date, type: "response", warcVersion: "WARC/1.1", httpHeaders: headers, statusline: status },
          [Buffer.from(body)],
        ),
    ),
  ];
  const parts: Uint8Array[] = [];
  for (const record of records) parts.push(await WARCSerializer.serialize(record, { gzip: false }));
  return Buffer.concat(gzip ? parts.map((part) => gzipSync(part)) : parts);
}

/** A Parquet file with a text, a url and a license column. */
export async function writeParquet(
  file: string,
  rows: readonly { text: string; url: string; license: string }[],
  compression = "snappy",
) {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const source = `${file}.jsonl`;
  writeFileSync(source, jsonLines(rows));
  await connection.run(
    `COPY (SELECT * FROM read_json('${source}')) TO '${file}' (FORMAT parquet, COMPRESSION ${compression})`,
  );
  connection.closeSync();
  instance.closeSync();
}

/** A tar archive of the files, in their order. */
export async function tarOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
