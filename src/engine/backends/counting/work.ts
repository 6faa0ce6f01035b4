/** FLOPs and bytes of kernel calls, from the shapes of their tensors: what a roofline needs. */
import type { AttentionShape, Kernels, Precision } from "../../backend.ts";
import { elementBytes, elementCount, rowsOf, type Tensor, widthOf } from "../../tensor.ts";

/** Of one call. FLOPs are those of matrix products alone: everything else is bound by memory. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

/** What a call must compute, and read and write at least. */
export function workOf(kernel: keyof Kernels, given: readonly unknown[]): Work {
  const tensors = tensorsIn(given);
  const bytes = tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  return { flops: flopsOf(kernel, given), bytes: tableBytes(kernel, given) ?? bytes };
}

/**
 * Scratch memory of the output head: a block of tokens keeps its logits' chunk, and with gradients a share for every token of
 * the vocabulary (native/cross_entropy.cpp).
 */
export function headScratchBytes({ x, weight }: { x: Tensor; weight: Tensor }, precision: Precision): number {
  const [tokens, vocabulary] = [rowsOf(x), weight.shape[0]];
  const rowBytes = vocabulary * elementBytes[precision];
  const wanted = Math.max(1, Math.min(1024, 2 ** 27 / rowBytes), 2 ** 23 / rowBytes);
  return Math.min(tokens, wanted) * (rowBytes + 4 * Math.min(1024, vocabulary));
}

function flopsOf(kernel: keyof Kernels, given: readonly unknown[]): number {
  switch (kernel) {
    case "matmul": {
      const [out, a, , options] = given as Parameters<Kernels["matmul"]>;
      const depth = options.transposeA ? rowsOf(a) : widthOf(a);
      return 2 * elementCount(out) * depth;
    }
    case "attention":
      return attentionFlops(given[1] as AttentionShape);
    case "attentionBackward":
      return 2.5 * attentionFlops(given[1] as AttentionShape);
    case "headCrossEntropy": {
      const [{ x, weight, gradients }] = given as Parameters<Kernels["headCrossEntropy"]>;
      return (gradients === undefined ? 2 : 6) * rowsOf(x) * elementCount(weight);
    }
    case "contrastiveLoss": {
      const [{ images }] = given as Parameters<Kernels["contrastiveLoss"]>;
      return 6 * rowsOf(images) * elementCount(images);
    }
    case "muon": {
      const [{ parameters }] = given as Parameters<Kernels["muon"]>;
      return 30 * elementCount(parameters) * Math.min(rowsOf(parameters), widthOf(parameters));
    }
    default:
      return 0;
  }
}

/** Scores and weighted values: 4 · queries · keys · width; a causal mask leaves half of them. */
function attentionFlops(shape: AttentionShape): number {
  const { sequences, queryLength, keyLength, heads, headSize, causal } = shape;
  return (causal ? 2 : 4) * sequences * queryLength * keyLength * heads * headSize;
}

/** Kernels that touch only those rows of a table that are looked up. */
function tableBytes(kernel: keyof Kernels, given: readonly unknown[]): number | undefined {
  if (kernel === "embedding") return 2 * bytesOf(given[0] as Tensor);
  if (kernel === "embeddingBackward") return 3 * bytesOf(given[1] as Tensor);
  return undefined;
}

function bytesOf(tensor: Tensor): number {
  return elementCount(tensor) * elementBytes[tensor.type];
}

function tensorsIn(given: readonly unknown[]): Tensor[] {
  return given.flatMap((one): Tensor[] => {
    if (one === null || typeof one !== "object") return [];
    return "storage" in one ? [one as Tensor] : tensorsIn(Object.values(one));
  });
}
