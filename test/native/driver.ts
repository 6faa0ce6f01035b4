/** Builds the driver of the native kernels (harness.h) in a variant, and runs it. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** A program over the kernels: which of them, by which compiler, with which flags. */
export interface Variant {
  readonly name: string;
  readonly compiler: string;
  readonly flags: readonly string[];
  /** Folders whose C++ files belong to it, beside main.cpp. */
  readonly folders: readonly string[];
  readonly linkFlags?: readonly string[];
}

export const computeFolders: readonly string[] = ["native", "test/native/kernels"];
export const textFolders: readonly string[] = ["native/text", "test/native/text"];
export const tokenizerFolders: readonly string[] = ["native/tokenizer", "test/native/tokenizer"];

/** $CXX or g++. */
export const compiler = process.env.CXX ?? "g++";

/** Compiles and links a variant in `folder`. Returns the program's path; throws with what the compiler said. */
export async function buildDriver(folder: string, variant: Variant): Promise<string> {
  const work = join(folder, variant.name);
  mkdirSync(work, { recursive: true });
  // The largest files come last, where `pop` takes them first: no processor waits for one of them at the end.
  const sources = ["test/native/main.cpp", ...variant.folders.flatMap(sourcesIn)].sort(
    (one, other) => readFileSync(one).length - readFileSync(other).length,
  );
  const objects = sources.map((source) => join(work, `${source.replaceAll("/", "-")}.o`));
  const waiting = sources.map((source, i) => [...variant.flags, "-c", source, "-o", objects[i]]);
  const compileAll = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await run(variant.compiler, next);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, compileAll));
  const program = join(work, "driver");
  const linkFlags = [...variant.flags.filter((flag) => flag.startsWith("-fsanitize")), ...(variant.linkFlags ?? [])];
  await run(variant.compiler, [...objects, ...linkFlags, "-pthread", "-ldl", "-o", program]);
  return program;
}

function sourcesIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".cpp"));
  return names.map((name) => join(folder, name));
}

/** What a program printed. Throws with the first of it where the program does not succeed. */
export async function run(command: string, parameters: readonly string[], environment = {}): Promise<string> {
  const child = spawn(command, parameters, { env: { ...process.env, ...environment } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number | null>((resolve, reject) => child.on("close", resolve).on("error", reject));
  if (code !== 0) throw new Error(`${command} left with ${code}:\n${output.slice(0, 4000)}`);
  return output;
}

/** Whether the compiler can build with a sanitizer and this machine can run what comes out. */
export function hasSanitizer(folder: string, sanitizer: string): boolean {
  const [file, program] = [join(folder, "probe.cpp"), join(folder, "probe")];
  writeFileSync(file, "int main() { return 0; }\n");
  const built = spawnSync(compiler, [`-fsanitize=${sanitizer}`, file, "-o", program]).status === 0;
  return built && spawnSync(program).status === 0;
}

/** Names of the functions that the sources of `folders` export, without the prefix `tilth_`. */
export function exportedNames(folders: readonly string[]): string[] {
  return folders
    .flatMap(sourcesIn)
    .flatMap((source) => [...readFileSync(source, "utf8").matchAll(/^TILTH_EXPORT\s[^(]*?\btilth_(\w+)\(/gm)])
    .map((match) => match[1]);
}

/** What one entry kept. */
export interface Result {
  readonly entry: string;
  readonly values: Float32Array;
}

/** Reads what the driver wrote for `--results`. */
export function readResults(file: string): Result[] {
  const bytes = readFileSync(file);
  const results: Result[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const entry = bytes.toString("utf8", at + 4, at + 4 + length);
    const count = bytes.readUInt32LE(at + 4 + length);
    const start = at + 8 + length;
    // A copy: the floats need not be aligned in the file.
    results.push({ entry, values: new Float32Array(Uint8Array.from(bytes.subarray(start, start + count * 4)).buffer) });
    at = start + count * 4;
  }
  return results;
}
