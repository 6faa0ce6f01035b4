// One rank of the test of collectives: leaves a JSON file with what it saw.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createBackend, createCommunicator, tensorOver } from "../../dist/index.js";

const [backendName, folder] = process.argv.slice(2);
const communicator = await createCommunicator();
const backend = await createBackend(backendName, { threads: 1 });
const { rank, size } = communicator;
const length = 1003;
const tensor = tensorOver(backend.allocate(4 * length), [length]);
const values = (of) => Float32Array.from({ length }, (_, i) => Math.sin(i * (of + 1)) * 3);
const seen = {};
for (const precision of ["f32", "bf16"]) {
  backend.write(tensor, values(rank));
  await communicator.allReduce(backend, tensor, precision);
  seen[precision] = [...(await backend.read(tensor))];
}
backend.write(tensor, values(rank));
await communicator.broadcast(backend, tensor, 1);
seen.broadcast = [...(await backend.read(tensor))];
seen.sum = communicator.sum([rank, 0.5]);
communicator.barrier();
if (process.env.FAIL_RANK === String(rank)) communicator.abort(7);
writeFileSync(join(folder, `${rank}.json`), JSON.stringify({ rank, size, ...seen }));
backend.dispose();
communicator.dispose();
