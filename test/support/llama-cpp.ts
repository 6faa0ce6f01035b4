/** llama.cpp in a process of its own, as `bench/peers` installs it. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const peers = join(import.meta.dirname, "..", "..", "bench", "peers");

/** Why llama.cpp cannot run here, or undefined. */
export function llamaCppMissing(): string | undefined {
  return existsSync(join(peers, "node_modules", "node-llama-cpp"))
    ? undefined
    : "node-llama-cpp is not installed: npm run peers";
}

export interface LlamaCpp {
  ask(command: string, input?: object): Promise<Record<string, unknown>>;
  close(): void;
}

/** Loads a GGUF file. Throws with llama.cpp's own words where it cannot. */
export async function startLlamaCpp(model: string, contextTokens: number): Promise<LlamaCpp> {
  const child = spawn(process.execPath, [join(peers, "llama-cpp.mjs")], { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (data: Buffer) => {
    errors += data.toString();
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (line: object): Promise<Record<string, unknown>> => {
    child.stdin.write(`${JSON.stringify(line)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`llama.cpp ended: ${errors}`);
    return JSON.parse(value) as Record<string, unknown>;
  };
  await ask({ model, contextTokens, threads: 2, cacheType: "F32" });
  return { ask: (command, input = {}) => ask({ command, ...input }), close: () => void child.kill() };
}
