/** Files dropped on the page: sent to the server of this machine, of weights only their beginning. */
import type { Opened } from "../protocol.ts";
import { getJson } from "./state.ts";

/** The header of a weights file lies in its first bytes; a log is sent whole. */
const headBytes = 64 << 20;
const onlyHead = /\.(safetensors|gguf|bin|onnx)$/;

/** A file with its name inside what was dropped. */
export interface DroppedFile {
  readonly name: string;
  readonly file: File;
}

/** Everything of a drop: files, and the files that lie directly in a dropped folder. */
export async function filesOfDrop(
  transfer: DataTransfer,
): Promise<{ readonly name: string; readonly files: DroppedFile[] }> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const [first] = entries;
  if (first?.isDirectory) return { name: first.name, files: await filesOfFolder(first as FileSystemDirectoryEntry) };
  const files = [...transfer.files].map((file) => ({ name: file.name, file }));
  return { name: files[0]?.name ?? "", files };
}

async function filesOfFolder(folder: FileSystemDirectoryEntry): Promise<DroppedFile[]> {
  const reader = folder.createReader();
  const found: DroppedFile[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return found;
    for (const entry of some) {
      if (!entry.isFile) continue;
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      found.push({ name: entry.name, file });
    }
  }
}

/** Sends files and says what they are. Throws with the server's words. */
export async function openFiles(name: string, files: readonly DroppedFile[]): Promise<Opened> {
  const group = [...crypto.getRandomValues(new Uint8Array(12))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  for (const { name: own, file } of files) {
    // A log under another name is a log all the same.
    const sent = files.length === 1 && own.endsWith(".jsonl") ? "log.jsonl" : own;
    const query = new URLSearchParams({ group, name: sent, bytes: String(file.size) });
    const body = onlyHead.test(own) ? file.slice(0, headBytes) : file;
    await getJson(`/api/open?${query}`, { method: "POST", body });
  }
  const done = new URLSearchParams({ group, name, done: "1" });
  return getJson<Opened>(`/api/open?${done}`, { method: "POST" });
}
