/** Files dropped on the page: kept in a folder of their own while the dashboard runs. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { TilthError, UsageError } from "../foundation/index.ts";
import type { Places } from "./places.ts";
import type { Opened } from "./protocol.ts";
import { inspectionOf } from "./views.ts";

/** Of one file: logs are sent whole, of weights only the beginning. */
const mostUploadBytes = 1 << 30;

/** What the page says of a file it sends. */
const uploadSchema = z.strictObject({
  /** Ties the files of a dropped folder together. */
  group: z.string().regex(/^[0-9a-f]{8,64}$/),
  name: z
    .string()
    .min(1)
    .max(200)
    .refine((name) => name === basename(name) && name !== "." && name !== "..", "must be a file's name alone"),
  /** Of the whole file: more than is sent where the end is not needed. */
  bytes: z.coerce
    .number()
    .int()
    .nonnegative()
    .max(2 ** 50),
});

/** The folder of what was dropped. */
export class OpenedFiles {
  private folder: string | undefined;

  /**
   * Takes one file. What the page left out at the end of a weights file becomes a hole: its header is read, its weights are
   * not. Throws UsageError for a bad name, TilthError for a file that is too long.
   */
  async take(request: IncomingMessage, query: URLSearchParams): Promise<void> {
    const parsed = uploadSchema.safeParse(Object.fromEntries(query));
    if (!parsed.success) throw new UsageError(`the upload is not valid: ${z.prettifyError(parsed.error)}`);
    const { group, name, bytes } = parsed.data;
    const folder = this.folderOf(group);
    mkdirSync(folder, { recursive: true });
    const descriptor = openSync(join(folder, name), "w");
    try {
      let written = 0;
      for await (const part of request) {
        written += (part as Buffer).length;
        if (written > mostUploadBytes) throw new TilthError(`${name} is longer than ${mostUploadBytes} bytes`);
        writeSync(descriptor, part as Buffer);
      }
      if (bytes > written) ftruncateSync(descriptor, bytes);
    } finally {
      closeSync(descriptor);
    }
  }

  /** Shows what was taken: a run where there is a log, a model where there are weights. Throws TilthError for neither. */
  async open(group: string, name: string, places: Places): Promise<Opened> {
    const folder = this.folderOf(group);
    if (!/^[0-9a-f]{8,64}$/.test(group) || !existsSync(folder)) throw new UsageError("nothing was sent to be opened");
    if (existsSync(join(folder, "log.jsonl"))) return { kind: "run", run: places.open(folder, `${name} (opened)`) };
    const single = join(folder, basename(name));
    const isFile = name !== "" && existsSync(single) && /\.(safetensors|gguf)$/.test(name);
    if (isFile || existsSync(join(folder, "config.json")) || existsSync(join(folder, "adapter_config.json")))
      return { kind: "model", inspection: { ...(await inspectionOf(isFile ? single : folder)), path: name } };
    throw new TilthError(`${name} is neither a run's log (log.jsonl) nor a model`, {
      remedy: "Drop a log.jsonl, a .safetensors or .gguf file, or the folder of a run or a checkpoint.",
    });
  }

  close(): void {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }

  private folderOf(group: string): string {
    this.folder ??= mkdtempSync(join(tmpdir(), "tilth-opened-"));
    return join(this.folder, createHash("sha256").update(group).digest("hex").slice(0, 16));
  }
}
