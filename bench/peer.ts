/** A peer: a process, Python or Node, that is warm and times one piece of work whenever it is asked, so that runs interleave. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A running peer. */
export interface Peer {
  readonly version: string;
  /** Seconds of one repetition. */
  time(): Promise<number>;
  /** Ends it; the most memory that it held. */
  end(): Promise<{ peakRssBytes: number }>;
}

/** Why there is no peer. */
export class PeerMissing extends Error {}

/** A running process that answers a JSON line with a JSON line. */
export interface PeerProcess {
  /** What it said once it was warm: `version` and more. */
  readonly ready: Record<string, unknown>;
  ask(line: string): Promise<Record<string, unknown>>;
  kill(): void;
}

/**
 * Starts `bench/peers/<script>` with the Python that TILTH_PYTHON names (python3 if unset) and waits until it is warm.
 * Throws PeerMissing where Python, the script or a module that it needs is missing.
 */
export async function startPeer(script: string, configuration: object): Promise<Peer> {
  const { ready, ask, kill } = await startPeerProcess(script, configuration);
  return {
    version: String(ready.version),
    time: async () => Number((await ask("step")).seconds),
    async end() {
      const { peakRssBytes } = await ask("end");
      kill();
      return { peakRssBytes: Number(peakRssBytes) };
    },
  };
}

/** As `startPeer` for a conversation of its own; scripts in `.mjs` run in Node. */
export async function startPeerProcess(script: string, configuration: object): Promise<PeerProcess> {
  const python = process.env.TILTH_PYTHON ?? "python3";
  const program = script.endsWith(".mjs") ? process.execPath : python;
  const file = join(process.cwd(), "bench", "peers", script);
  if (!existsSync(file)) throw new PeerMissing(`${file} is missing: run benchmarks in a clone of Tilth`);
  const child = spawn(program, [file], { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data: Buffer) => {
    errors = (errors + data.toString()).slice(-2000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const failed = new Promise<never>((_, reject) => {
    child.on("error", () => reject(new PeerMissing(`${program} cannot be started; TILTH_PYTHON names another Python`)));
  });
  failed.catch(() => {});
  const answer = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await Promise.race([lines.next(), failed]);
    if (done) throw new PeerMissing(`${script} ended: ${errors.trim().split("\n").at(-1) ?? "without a word"}`);
    return JSON.parse(value) as Record<string, unknown>;
  };
  const ask = (text: string) => {
    child.stdin.write(`${text}\n`);
    return answer();
  };
  const ready = await ask(JSON.stringify(configuration));
  return { ready, ask, kill: () => void child.kill() };
}
