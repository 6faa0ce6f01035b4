import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { commonCompilerFlags } from "../../src/engine/backends/cpu/build.ts";
import { levelNamed, supportedLevels } from "../../src/engine/backends/cpu/isa.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-sanitizers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compiler = process.env.CXX ?? "g++";
const sources = [
  ...readdirSync("native")
    .filter((name) => name.endsWith(".cpp"))
    .map((name) => join("native", name)),
  "test/native/driver.cpp",
];

/** Whether the compiler has the sanitizer's library and this machine can run it. */
function has(sanitizer: string): boolean {
  const file = join(folder, "probe.cpp");
  writeFileSync(file, "int main() { return 0; }\n");
  const program = join(folder, "probe");
  const built = spawnSync(compiler, [`-fsanitize=${sanitizer}`, file, "-o", program]).status === 0;
  return built && spawnSync(program).status === 0;
}

async function run(command: string, parameters: readonly string[], environment = {}): Promise<string> {
  const child = spawn(command, parameters, { env: { ...process.env, ...environment } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return code === 0 ? output : `${command} left with ${code}:\n${output.slice(0, 4000)}`;
}

async function driverUnder(sanitizer: string, level: string): Promise<string> {
  const flags = [...commonCompilerFlags, ...levelNamed(level).compilerFlags, "-O1", "-g"];
  const sanitized = [`-fsanitize=${sanitizer}`, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
  const objects = sources.map((source) => join(folder, `${sanitizer}-${level}-${source.replaceAll("/", "-")}.o`));
  const waiting = sources.map((source, i) => [...flags, ...sanitized, "-c", source, "-o", objects[i]]);
  const compileAll = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      expect(await run(compiler, next)).not.toContain("error:");
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, compileAll));
  const program = join(folder, `driver-${sanitizer}-${level}`);
  expect(await run(compiler, [...objects, ...sanitized, "-pthread", "-ldl", "-o", program])).not.toContain("left with");
  // Scratch memory lives as long as the process, on purpose.
  return run(program, ["1"], { ASAN_OPTIONS: "detect_leaks=0", TSAN_OPTIONS: "halt_on_error=1" });
}

const levels = supportedLevels();
const minutes = 60_000;

describe.skipIf(levels.length === 0 || !has("address,undefined"))(
  "ASan and UBSan (skipped without their libraries)",
  () => {
    it.each(levels)(
      "find nothing in any kernel on %s",
      async (level) => {
        expect(await driverUnder("address,undefined", level)).toMatch(/^all kernels were called/m);
      },
      20 * minutes,
    );
  },
);

describe.skipIf(levels.length === 0 || !has("thread"))("TSan (skipped without its library)", () => {
  it(
    "finds no race between the threads of the pool",
    async () => {
      expect(await driverUnder("thread", levels[0])).toMatch(/^all kernels were called/m);
    },
    20 * minutes,
  );
});
