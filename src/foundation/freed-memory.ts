/** Memory that was freed but that the C library keeps for later: after a phase of threads and native code it can be hundreds of megabytes. */
import koffi from "koffi";

let trim: (() => void) | undefined;

/** Gives it back to the system where the C library can (glibc); does nothing elsewhere. Takes some milliseconds. */
export function returnFreedMemory(): void {
  trim ??= mallocTrim();
  trim();
}

function mallocTrim(): () => void {
  try {
    const native = koffi.load(null).func("malloc_trim", "int", ["size_t"]);
    return () => void native(0);
  } catch {
    return () => {};
  }
}
