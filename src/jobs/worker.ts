/** The worker thread's entry point: runs the job that it was started for. */
import { parentPort, workerData } from "node:worker_threads";
import { loadPlugins, transferable } from "../foundation/index.ts";
import { jobNamed } from "./registry.ts";
import type { WorkerInput, WorkerMessage } from "./run-job.ts";

const { job, input, stop, plugins } = workerData as WorkerInput;
const send = (message: WorkerMessage) => parentPort?.postMessage(message);

try {
  await loadPlugins(plugins);
  const output = await jobNamed(job).run(input, {
    emit: (event) => send({ kind: "event", event }),
    shouldStop: () => Atomics.load(stop, 0) === 1,
  });
  send({ kind: "result", output });
} catch (error) {
  send({ kind: "error", error: transferable(error) });
}
