/** Linux gives a process the large registers of AMX only after it has asked for them. */
import koffi from "koffi";

// arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA), see the kernel's Documentation/arch/x86/xstate.rst.
const [archPrctl, requestPermission, tileData] = [158, 0x1023, 18];

let permitted: boolean | undefined;

/** Asks the kernel for AMX's tiles, for all threads of this process; false where it refuses or does not know them. */
export function kernelPermitsTiles(): boolean {
  permitted ??= asked();
  return permitted;
}

function asked(): boolean {
  if (process.platform !== "linux" || process.arch !== "x64") return false;
  try {
    const systemCall = koffi.load(null).func("long syscall(long number, long code, long feature)");
    return systemCall(archPrctl, requestPermission, tileData) === 0;
  } catch {
    // Without the call nobody knows, and an illegal instruction would end the process.
    return false;
  }
}
