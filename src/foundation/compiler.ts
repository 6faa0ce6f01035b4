/** The system's C++ compiler: finding it, and running it. */
import { spawn } from "node:child_process";
import { codeOf, messageOf, TilthError } from "./errors.ts";

/** There is no C++ compiler here. Callers may catch it and use the reference backend. */
export class CompilerMissingError extends TilthError {
  constructor(tried: readonly string[]) {
    super(`no C++ compiler was found (tried ${tried.join(", ")})`, { remedy: installationAdvice() });
    this.name = "CompilerMissingError";
  }
}

function installationAdvice(): string {
  return process.platform === "darwin"
    ? "Install one: xcode-select --install."
    : "Install one, e.g. on Debian and Ubuntu: apt install g++; on Fedora: dnf install gcc-c++.";
}

/** A compiler that answered, and what it calls itself. */
export interface Compiler {
  readonly command: string;
  /** Arguments that come first, from a CXX such as `ccache g++`. */
  readonly leadingArguments: readonly string[];
  /** The output of `--version`. */
  readonly version: string;
}

/** What a finished program left behind. */
interface Finished {
  readonly exitCode: number | null;
  readonly output: string;
}

/** Runs a program to its end, its output and errors together as text. Rejects where it cannot be started. */
function runProgram(command: string, programArguments: readonly string[]): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, programArguments, { stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, output: Buffer.concat(chunks).toString("utf8") }));
  });
}

/** The compiler of that command line, or undefined where it cannot be started. */
export async function compilerNamed(candidate: string): Promise<Compiler | undefined> {
  const [command, ...leadingArguments] = candidate.split(/\s+/);
  try {
    const { exitCode, output } = await runProgram(command, [...leadingArguments, "--version"]);
    return exitCode === 0 ? { command, leadingArguments, version: output } : undefined;
  } catch (error) {
    if (["ENOENT", "EACCES", "ENOTDIR"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

/**
 * The compiler to use: $CXX if set and working, else the first of c++, g++ and clang++.
 * Throws CompilerMissingError where none can be started.
 */
export async function findCompiler(): Promise<Compiler> {
  const asked = (process.env.CXX ?? "").trim();
  const candidates = [...(asked === "" ? [] : [asked]), "c++", "g++", "clang++"];
  for (const candidate of candidates) {
    const compiler = await compilerNamed(candidate);
    if (compiler !== undefined) return compiler;
  }
  throw new CompilerMissingError(candidates);
}

/** Runs the compiler. Throws TilthError with the first lines of what it said if it fails. */
export async function compile(compiler: Compiler, compilerArguments: readonly string[], what: string): Promise<void> {
  let finished: Finished;
  try {
    finished = await runProgram(compiler.command, [...compiler.leadingArguments, ...compilerArguments]);
  } catch (error) {
    throw new TilthError(`${compiler.command} could not be started: ${messageOf(error)}`, { cause: error });
  }
  if (finished.exitCode === 0) return;
  const lines = finished.output.split("\n").filter((line) => line.trim() !== "");
  const shown = lines.slice(0, 12).map((line) => `    ${line}`);
  const more = lines.length > shown.length ? [`    … ${lines.length - shown.length} more lines`] : [];
  throw new TilthError([`${compiler.command} failed on ${what}:`, ...shown, ...more].join("\n"), {
    remedy: "A C++17 compiler is needed (GCC 9 or Clang 10 and later); CXX=<command> chooses another.",
  });
}
