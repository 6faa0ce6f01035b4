/** The checkpoint writer's thread: writes one snapshot after the other, as they are sent. */
import { parentPort } from "node:worker_threads";
import { transferable } from "../../foundation/index.ts";
import type { Snapshot } from "./snapshot.ts";
import { writeSnapshot } from "./write.ts";
import type { WriterReply } from "./writer.ts";

const reply = (message: WriterReply) => parentPort?.postMessage(message);

parentPort?.on("message", (snapshot: Snapshot) => {
  const started = performance.now();
  writeSnapshot(snapshot).then(
    (path) => reply({ path, seconds: (performance.now() - started) / 1000 }),
    (error: unknown) => reply({ error: transferable(error) }),
  );
});
