/** The native kernels of gated units. */
import type { Kernels } from "../../backend.ts";
import { rowsOf, type Tensor, widthOf } from "../../tensor.ts";
import { commonType, flat, numbers, requireShape } from "./checks.ts";
import type { NativeLibraryFunctions } from "./library.ts";

/** SwiGLU and GeGLU with their gradients. */
export function gatedKernels(
  library: NativeLibraryFunctions,
  threads: number,
): Pick<Kernels, "swiglu" | "swigluBackward" | "geglu" | "gegluBackward"> {
  const forward = (name: "swiglu" | "geglu") => (out: Tensor, gateUp: Tensor) => {
    requireShape(gateUp, rowsOf(out), 2 * widthOf(out), `${name}: gateUp`);
    const to = flat(out, name, commonType(name, gateUp, out));
    library[name](threads, to, ...numbers(gateUp, name), rowsOf(out), widthOf(out));
  };
  const backward = (name: "swiglu" | "geglu") => (gateUpGradient: Tensor, gradient: Tensor, gateUp: Tensor) => {
    const [rows, width] = [rowsOf(gradient), widthOf(gradient)];
    const subject = `${name}Backward`;
    for (const one of [gateUp, gateUpGradient]) requireShape(one, rows, 2 * width, subject);
    const type = commonType(subject, gateUp, gradient, gateUpGradient);
    const [to, from] = [gateUpGradient, gradient].map((one) => flat(one, subject, type));
    library[`${name}_backward`](threads, to, from, ...numbers(gateUp, subject), rows, width);
  };
  return {
    swiglu: forward("swiglu"),
    swigluBackward: backward("swiglu"),
    geglu: forward("geglu"),
    gegluBackward: backward("geglu"),
  };
}
