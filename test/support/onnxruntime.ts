/** onnxruntime-node, as `bench/peers` installs it, and Python's `onnx` where TILTH_PYTHON has it. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const peers = join(import.meta.dirname, "..", "..", "bench", "peers");

/** Why onnxruntime cannot run here, or undefined. */
export function onnxRuntimeMissing(): string | undefined {
  return existsSync(join(peers, "node_modules", "onnxruntime-node"))
    ? undefined
    : "onnxruntime-node is not installed: npm run peers";
}

export interface OnnxArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | readonly number[];
}

interface OrtTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, unknown>): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

interface Ort {
  readonly InferenceSession: { create(path: string, options: object): Promise<OrtSession> };
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array, dims: readonly number[]) => unknown;
}

export interface OnnxSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Float32Array becomes f32, lists of numbers int64. */
  run(inputs: Readonly<Record<string, OnnxArray>>): Promise<Record<string, { shape: number[]; data: Float32Array }>>;
  close(): Promise<void>;
}

/** Loads a model. Throws with onnxruntime's own words where it cannot. */
export async function openOnnx(path: string): Promise<OnnxSession> {
  const ort = createRequire(join(peers, "package.json"))("onnxruntime-node") as Ort;
  const session = await ort.InferenceSession.create(path, { intraOpNumThreads: 2, logSeverityLevel: 3 });
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(inputs) {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([name, { shape, data }]) => [
          name,
          data instanceof Float32Array
            ? new ort.Tensor("float32", data, shape)
            : new ort.Tensor("int64", BigInt64Array.from(data, BigInt), shape),
        ]),
      );
      const outputs = await session.run(feeds);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, { dims, data }]) => [name, { shape: [...dims], data }]),
      );
    },
    close: () => session.release(),
  };
}

/** What `onnx.checker` says against a file: nothing where it is valid, undefined where there is no Python with onnx. */
export function onnxCheckerProblem(path: string): string | undefined {
  const python = process.env.TILTH_PYTHON;
  if (python === undefined) return undefined;
  const program = "import sys, onnx; onnx.checker.check_model(sys.argv[1], full_check=True)";
  const ran = spawnSync(python, ["-c", program, path], { encoding: "utf8" });
  return ran.status === 0 ? "" : ran.stderr;
}
