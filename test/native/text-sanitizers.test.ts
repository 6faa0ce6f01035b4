import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "tilth-text-sanitizers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compiler = process.env.CXX ?? "g++";
const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** Whether the compiler has the sanitizers' libraries and this machine can run them. */
function hasSanitizers(): boolean {
  const [source, program] = [join(folder, "probe.cpp"), join(folder, "probe")];
  writeFileSync(source, "int main() { return 0; }\n");
  return spawnSync(compiler, [...sanitizers, source, "-o", program]).status === 0 && spawnSync(program).status === 0;
}

it.skipIf(!hasSanitizers())("ASan and UBSan find nothing in the text kernels (skipped without their libraries)", () => {
  const sources = readdirSync("native/text").filter((name) => name.endsWith(".cpp"));
  const program = join(folder, "driver");
  // Functions that are chosen at load are resolved before the sanitizer is ready.
  const flags = ["-std=c++17", "-O1", "-g", "-DTILTH_NO_CLONES", ...sanitizers];
  const files = [...sources.map((name) => join("native/text", name)), "test/native/text-driver.cpp"];
  const built = spawnSync(compiler, [...flags, ...files, "-o", program], { encoding: "utf8" });
  expect(built.stderr).toBe("");
  const run = spawnSync(program, { encoding: "utf8" });
  expect(run.stderr).toBe("");
  expect(run.stdout).toBe("all text kernels were called\n");
});
