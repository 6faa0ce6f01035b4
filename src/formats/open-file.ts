/** Files that stay open while their tensors are read. */
import { closeSync, openSync, readSync } from "node:fs";
import { codeOf, messageOf, TilthError } from "../foundation/index.ts";

/**
 * Opens a file and makes what reads it, which owns the descriptor from then on; where that throws, the file is closed.
 * Throws TilthError where it cannot be opened. `ending`: ".gguf".
 */
export function openFile<Reader>(path: string, ending: string, make: (descriptor: number) => Reader): Reader {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    const missing = codeOf(cause) === "ENOENT";
    throw new TilthError(missing ? `${path} does not exist` : `${path} cannot be opened: ${messageOf(cause)}`, {
      remedy: `Give the path of a ${ending} file that you may read.`,
      cause,
    });
  }
  try {
    return make(descriptor);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Fills `into` with the bytes from `position` on; where the file ends before that, throws what `damaged` makes of it. */
export function readFully(
  descriptor: number,
  into: Uint8Array,
  position: number,
  damaged: (problem: string) => TilthError,
): void {
  for (let done = 0; done < into.length; ) {
    const read = readSync(descriptor, into, done, Math.min(into.length - done, 1 << 30), position + done);
    if (read === 0) throw damaged(`it ended at byte ${position + done} while it was being read`);
    done += read;
  }
}
