/**
 * `npm run chaos -- --runs 100`: trains the same small run again and again, kills it with SIGKILL at random instants, half of
 * them while a checkpoint is being written, resumes it, and compares losses and final state with the run that nobody disturbed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf, Random } from "../../src/foundation/index.ts";
import { disturb } from "./disturb.ts";
import { prepareRun, resultOf, sameResult } from "./run.ts";
import { stressServer } from "./serve.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "10" },
    connections: { type: "string", default: "1000" },
    runs: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
if (positionals[0] === "serve") {
  const say = (text: string) => void process.stderr.write(`${text}\n`);
  process.exit((await stressServer(Number(values.minutes), Number(values.connections), say)) ? 0 : 1);
}
const [runs, seed] = [Number(values.runs), Number(values.seed)];
if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed)) {
  process.stderr.write("tilth chaos: --runs and --seed are whole numbers, e.g. npm run chaos -- --runs 100 --seed 1\n");
  process.exit(2);
}
const say = (text: string) => void process.stderr.write(`${text}\n`);
const folder = mkdtempSync(join(tmpdir(), "tilth-chaos-"));
const started = performance.now();
let [identical, lost, kills, killsWhileWriting] = [0, 0, 0, 0];
try {
  const whole = prepareRun(folder);
  say(`The run that nobody disturbs: ${whole.seconds.toFixed(1)} s, ${whole.result.records.length} records.`);
  for (let index = 1; index <= runs; index++) {
    const random = new Random(seed, index);
    const run = join(folder, "killed");
    try {
      const killed = await disturb(whole, run, random);
      kills += killed.kills;
      killsWhileWriting += killed.whileWriting;
      const difference = sameResult(resultOf(run), whole.result);
      if (difference === undefined) identical += 1;
      else say(`run ${index} (seed ${seed}) differs: ${difference}`);
    } catch (error) {
      lost += 1;
      say(`run ${index} (seed ${seed}) is lost: ${messageOf(error)}`);
    }
    rmSync(run, { recursive: true, force: true });
    const seconds = (performance.now() - started) / 1000;
    const left = Math.round((seconds / index) * (runs - index));
    if (index % 5 === 0 || index === runs)
      say(`${index} of ${runs} runs, ${identical} identical, ${kills} kills, ${left} s left`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const seconds = Math.round((performance.now() - started) / 1000);
const summary = { runs, identical, lost, kills, killsWhileWriting, seconds, seed };
process.stdout.write(
  values.json
    ? `${JSON.stringify(summary)}\n`
    : `${identical} of ${runs} runs identical, ${lost} lost; ${kills} kills, ${killsWhileWriting} of them left a half-written checkpoint; ${seconds} s\n`,
);
process.exitCode = identical === runs ? 0 : 1;
