import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { copyClone } from "../support/clone.ts";

const root = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "tilth-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const [source, place] = [join(folder, "source"), join(folder, "place")];

function run(where: string, program: string, ...parameters: string[]) {
  return spawnSync(program, parameters, {
    cwd: where,
    encoding: "utf8",
    env: { ...process.env, npm_config_yes: "true" },
  });
}

/** Packing builds, and others use this clone's build at the same time: a copy of what git knows is packed. */
function packed(): string {
  copyClone(source);
  const pack = run(source, "npm", "pack", "--pack-destination", folder);
  expect(pack.status, pack.stderr).toBe(0);
  return join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz"))!);
}

it("installs into an empty folder, runs its quickstart there, and is a typed library", (context) => {
  const tarball = packed();
  expect(statSync(tarball).size).toBeLessThan(5_000_000);
  mkdirSync(place);
  writeFileSync(join(place, "package.json"), JSON.stringify({ name: "place", private: true, type: "module" }));
  const installed = run(place, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", tarball);
  if (/ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH/.test(installed.stderr)) {
    context.skip("npm reaches no registry, and the packages are not in its cache");
  }
  expect(installed.status, installed.stderr).toBe(0);

  const help = run(place, "npx", "tilth", "--help");
  expect(help.stdout).toContain("quickstart");
  const quick = ["tilth", "quickstart", "--minutes", "0.1", "--run", "runs/first", "--json"];
  const { status, stdout, stderr } = run(place, "npx", ...quick);
  expect(status, stderr).toBe(0);
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as { bitsPerByte?: number; checkpoint?: string };
  expect(existsSync(join(place, "runs/first/checkpoints/latest")), JSON.stringify(result)).toBe(true);

  writeFileSync(
    join(place, "program.js"),
    'import { defineRun, readTokenizerJson } from "tilth";\nif (typeof defineRun !== "function" || typeof readTokenizerJson !== "function") process.exit(1);\nprocess.exit(0);\n',
  );
  expect(run(place, process.execPath, "program.js").status).toBe(0);
  writeFileSync(
    join(place, "program.ts"),
    [
      'import { defineRun } from "tilth";',
      'const corpus = { sources: [{ reader: "folder", path: "notes" }] } as const;',
      'export default defineRun({ runFolder: "runs/a", corpus: { sources: [...corpus.sources] }, training: { steps: 3 } });',
      "// @ts-expect-error: steps are a number",
      'defineRun({ runFolder: "runs/a", corpus: { sources: [...corpus.sources] }, training: { steps: "three" } });',
    ].join("\n"),
  );
  cpSync(join(root, "examples", "library"), join(place, "library"), { recursive: true });
  cpSync(join(root, "examples", "plugins"), join(place, "plugins"), { recursive: true });
  symlinkSync(join(root, "node_modules", "@types"), join(place, "types"));
  writeFileSync(
    join(place, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        target: "es2022",
        module: "nodenext",
        moduleResolution: "nodenext",
        lib: ["es2023", "esnext.disposable"],
        typeRoots: ["types"],
        types: ["node"],
      },
      include: ["program.ts", "library", "plugins"],
    }),
  );
  const types = run(place, process.execPath, join(root, "node_modules/typescript/bin/tsc"), "-p", ".");
  expect(types.status, types.stdout).toBe(0);
}, 600_000);
