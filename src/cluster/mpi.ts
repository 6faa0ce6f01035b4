/** Ranks over MPI: a small shim compiled with the system's mpicc, so that it fits any MPI's ABI. */
import koffi from "koffi";
import { type Backend, elementCount, type Tensor } from "../engine/index.ts";
import { buildNativeLibrary, type Compiler, compilerNamed, TilthError } from "../foundation/index.ts";
import type { Communicator, ReductionPrecision } from "./communicator.ts";

type Native = (...parameters: (number | ArrayBufferView)[]) => number;

const signatures = {
  start: ["int", []],
  rank: ["int", []],
  size: ["int", []],
  all_reduce: ["void", ["uintptr_t", "int64_t"]],
  all_reduce_bf16: ["void", ["uintptr_t", "int64_t", "void *", "int64_t"]],
  start_all_reduce: ["void", ["uintptr_t", "int64_t", "int"]],
  finish_all_reduces: ["void", []],
  sum: ["void", ["void *", "int"]],
  broadcast: ["void", ["uintptr_t", "int64_t", "int"]],
  barrier: ["void", []],
  abort: ["void", ["int"]],
  finish: ["void", []],
} as const;

/** The MPI compiler wrapper: $MPICC, else mpicc; undefined where there is none. */
export function findMpiCompiler(): Promise<Compiler | undefined> {
  return compilerNamed(process.env.MPICC || "mpicc");
}

/** Values of a piece that is summed in bf16 at a time. */
const pieceValues = 1 << 22;

/**
 * Joins the ranks that mpirun or srun started. Must be called by the thread that makes all later calls.
 * Throws TilthError where there is no mpicc or MPI does not start.
 */
export async function createMpiCommunicator(): Promise<Communicator> {
  const compiler = await findMpiCompiler();
  if (compiler === undefined) {
    throw new TilthError("MPI ranks were started, but there is no mpicc to build the MPI shim with", {
      remedy:
        "Install one, e.g. on Debian and Ubuntu: apt install libopenmpi-dev openmpi-bin; MPICC=<command> chooses another.",
    });
  }
  const compilerFlags = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden"];
  const { path } = await buildNativeLibrary({ folder: "native/mpi", name: "libtilth-mpi", compilerFlags, compiler });
  // MPI's own plug-ins look for its symbols among the global ones.
  const library = koffi.load(path, { global: true });
  const native = Object.fromEntries(
    Object.entries(signatures).map(([name, [result, parameters]]) => [
      name,
      library.func(`tilth_mpi_${name}`, result, [...parameters]),
    ]),
  ) as unknown as { readonly [Name in keyof typeof signatures]: Native };
  const failed = native.start();
  if (failed !== 0) throw new TilthError(`MPI could not be started: error ${failed}`);
  const piece = new Uint16Array(pieceValues);
  const reduce = (address: number, count: number, precision: ReductionPrecision) =>
    precision === "f32"
      ? native.all_reduce(address, count)
      : native.all_reduce_bf16(address, count, piece, pieceValues);
  /** Those of backends whose memory the host cannot reach wait for the end. */
  let postponed: { backend: Backend; tensor: Tensor; precision: ReductionPrecision }[] = [];
  return {
    name: "mpi",
    rank: native.rank(),
    size: native.size(),
    allReduce: (backend, tensor, precision) =>
      inHostMemory(backend, tensor, (address) => void reduce(address, elementCount(tensor), precision)),
    startAllReduce(backend, tensor, precision) {
      if (backend.hostAddress === undefined) postponed.push({ backend, tensor, precision });
      else native.start_all_reduce(backend.hostAddress(tensor), elementCount(tensor), Number(precision === "bf16"));
    },
    async finishAllReduces() {
      native.finish_all_reduces();
      const last = postponed;
      postponed = [];
      for (const { backend, tensor, precision } of last) {
        await inHostMemory(backend, tensor, (address) => void reduce(address, elementCount(tensor), precision));
      }
    },
    sum(values) {
      const summed = Float64Array.from(values);
      native.sum(summed, summed.length);
      return [...summed];
    },
    broadcast: (backend, tensor, root) =>
      inHostMemory(backend, tensor, (address) => void native.broadcast(address, 4 * elementCount(tensor), root)),
    barrier: () => void native.barrier(),
    abort: (exitCode) => void native.abort(exitCode),
    dispose: () => void native.finish(),
  };
}

/** Calls `work` with the tensor's address, or with that of a copy that is written back where the host cannot reach it. */
async function inHostMemory(backend: Backend, tensor: Tensor, work: (address: number) => void): Promise<void> {
  if (backend.hostAddress !== undefined) return work(backend.hostAddress(tensor));
  const copy = await backend.read(tensor);
  work(Number(koffi.address(copy)));
  backend.write(tensor, copy);
}
