/** Kills a run a few times, then lets it end. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Random, TilthError } from "../../src/foundation/index.ts";
import { checkpointsFolder } from "../../src/training/index.ts";
import { program, type WholeRun } from "./run.ts";

/** How often a run was killed, and how often that left a half-written checkpoint behind. */
export interface Disturbance {
  kills: number;
  whileWriting: number;
}

/** Makes `run` from the template, kills it once or twice, and resumes it to its end. Throws where it does not get there. */
export async function disturb({ template, seconds }: WholeRun, run: string, random: Random): Promise<Disturbance> {
  cpSync(template, run, { recursive: true });
  const seen: Disturbance = { kills: 0, whileWriting: 0 };
  const wanted = 1 + random.below(2);
  while (seen.kills < wanted) {
    const isAimed = random.below(2) === 0;
    const [wait, delay] = [random.below(Math.round(seconds * 1000)), random.below(12)];
    const [one] = [start(run)];
    if (isAimed) await beginningOfWriting(run, one, wait, delay);
    else await Promise.race([sleep(wait), one.ended]);
    if (!one.child.kill("SIGKILL") || one.child.exitCode !== null) {
      await one.ended;
      break; // It had ended by itself.
    }
    await one.ended;
    seen.kills += 1;
    if (unfinished(run) > 0) seen.whileWriting += 1;
  }
  const last = start(run);
  const code = await last.ended;
  if (code !== 0) throw new TilthError(`tilth train --resume ended with ${code}: ${last.text()}`);
  return seen;
}

function start(run: string) {
  const child = spawn(program[0], [program[1], "train", "--resume", run], { stdio: ["ignore", "ignore", "pipe"] });
  let text = "";
  child.stderr.on("data", (data: Buffer) => {
    text += data.toString();
  });
  return { child, text: () => text, ended: new Promise<number | null>((resolve) => child.on("close", resolve)) };
}

/** Resolves `delay` milliseconds after a checkpoint began to be written, the first one at least `wait` ms after the start. */
async function beginningOfWriting(run: string, { child }: ReturnType<typeof start>, wait: number, delay: number) {
  const earliest = performance.now() + wait / 2;
  const known = unfinishedNames(run);
  while (child.exitCode === null && child.signalCode === null) {
    const isNew = [...unfinishedNames(run)].some((name) => !known.has(name));
    if (isNew && performance.now() > earliest) return sleep(delay);
    await sleep(1);
  }
}

const unfinished = (run: string) => unfinishedNames(run).size;

function unfinishedNames(run: string): Set<string> {
  const folder = checkpointsFolder(run);
  return new Set(existsSync(folder) ? readdirSync(folder).filter((name) => name.includes(".tilth-partial-")) : []);
}
