/** Files and folders that are either whole or absent: temporary name, fsync, rename, fsync of the parent. */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, messageOf, TilthError } from "./errors.ts";

/** Writes `content` to `path` so that a crash at any instant leaves the old file or the new one, never a part. */
export function writeFileAtomically(path: string, content: string | Uint8Array): void {
  withTemporaryFile(path, (descriptor) => writeFully(descriptor, content));
}

/**
 * Opens a temporary file beside `path`, lets `write` fill it, then publishes it under `path`.
 * On any error the temporary file is removed and nothing at `path` has changed.
 */
export function withTemporaryFile(path: string, write: (descriptor: number) => void): void {
  const temporary = temporaryNameFor(path);
  try {
    mkdirSync(dirname(path), { recursive: true });
    const descriptor = openSync(temporary, "w");
    try {
      write(descriptor);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw describeWriteError(error, path);
  }
}

/** Writes all of `content`, however many system calls that takes. */
export function writeFully(descriptor: number, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  for (let offset = 0; offset < bytes.byteLength; ) {
    offset += writeSync(descriptor, bytes, offset, Math.min(bytes.byteLength - offset, 1 << 30));
  }
}

/** Flushes a file that some library wrote under a temporary name, and publishes it as `path`. */
export function syncFile(temporary: string, path: string): void {
  const descriptor = openSync(temporary, "r+");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** Lets `fill` write a folder under a temporary name, fsyncs every file in it, then publishes it as `path`. */
export async function publishFolder(path: string, fill: (temporary: string) => Promise<void> | void): Promise<void> {
  const temporary = temporaryNameFor(path);
  try {
    mkdirSync(dirname(path), { recursive: true });
    // Not recursive: on a read-only disk that would say ENOENT.
    mkdirSync(temporary);
    await fill(temporary);
    syncTree(temporary);
    const replaced = existsSync(path) ? temporaryNameFor(path) : undefined;
    if (replaced !== undefined) renameSync(path, replaced);
    renameSync(temporary, path);
    syncFolder(dirname(path));
    if (replaced !== undefined) rmSync(replaced, { recursive: true, force: true });
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw describeWriteError(error, path);
  }
}

const temporaryMark = ".tilth-partial-";

/** A name beside `path` that no reader takes for the finished thing. */
export function temporaryNameFor(path: string): string {
  return join(dirname(path), `.${basename(path)}${temporaryMark}${randomBytes(6).toString("hex")}`);
}

/**
 * Removes what crashed writers left in `folder`, or only what was to become `name`. Call it only where no other such
 * writer can be active.
 */
export function removeLeftovers(folder: string, name?: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder)) {
    const left = name === undefined ? entry.includes(temporaryMark) : entry.startsWith(`.${name}${temporaryMark}`);
    if (left) rmSync(join(folder, entry), { recursive: true, force: true });
  }
}

/** Flushes a folder's directory entry to the disk, where the platform can. */
export function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    // Windows and some network file systems cannot fsync a folder; the rename itself is still atomic there.
    if (!["EISDIR", "EPERM", "EINVAL", "EBADF", "EACCES"].includes(codeOf(error) ?? "")) throw error;
  }
}

function syncTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      syncTree(path);
    } else {
      const descriptor = openSync(path, "r+");
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    }
  }
  syncFolder(folder);
}

/** SHA-256 of a file, read as a stream: lower-case hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** SHA-256 of strings and bytes, each prefixed by its length so that no two lists collide: lower-case hexadecimal. */
export function hashOf(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    hash.update(`${bytes.byteLength}:`);
    hash.update(bytes);
  }
  return hash.digest("hex");
}

/** JSON with sorted keys: equal values give equal text, so that it may be hashed. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : item,
  );
}

/** Total bytes of the files below `folder`. */
export function folderBytes(folder: string): number {
  let total = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    total += entry.isDirectory() ? folderBytes(path) : statSync(path).size;
  }
  return total;
}

/** Turns a failed write into an error that says which path and what to do; other errors pass unchanged. */
export function describeWriteError(error: unknown, path: string): unknown {
  if (error instanceof TilthError) return error;
  switch (codeOf(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return new TilthError(`the disk is full: ${path} could not be written; nothing there was changed`, {
        remedy: "Free some space, or choose a folder on another disk, and run the same command again.",
        cause: error,
      });
    case "EFBIG":
      return new TilthError(
        `${path} could not be written: the file-size limit of this process (ulimit -f) is reached`,
        {
          remedy: "Raise the limit and run the same command again; nothing there was changed.",
          cause: error,
        },
      );
    case "EIO":
      return new TilthError(
        `the disk failed while ${path} was written (${messageOf(error)}); nothing there was changed`,
        {
          remedy: "Look at the system's log, or choose a folder on another disk, and run the same command again.",
          cause: error,
        },
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new TilthError(`${path} cannot be written: ${messageOf(error)}`, {
        remedy: "Choose a folder that you may write to.",
        cause: error,
      });
    default:
      return error;
  }
}
