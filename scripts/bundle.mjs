// Bundles src/ into dist/: one ES module per entry point, shared code in chunks, dependencies left outside.
import { chmodSync, copyFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

const entryPoints = {
  index: "src/index.ts",
  cli: "src/cli/main.ts",
  "corpus-worker": "src/corpus/worker.ts",
  "image-worker": "src/images/worker.ts",
  "job-worker": "src/jobs/worker.ts",
  "checkpoint-worker": "src/training/checkpoint/worker.ts",
  "native-build": "src/engine/backends/cpu/build-command.ts",
  bench: "bench/main.ts",
  chaos: "bench/chaos/main.ts",
};

const present = Object.fromEntries(Object.entries(entryPoints).filter(([, file]) => existsSync(join(root, file))));
rmSync(join(root, "dist"), { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: present,
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: true,
  logLevel: "warning",
});
// The dashboard's page: for the browser, with all that it needs.
const page = "src/dashboard/page";
await build({
  absWorkingDir: root,
  entryPoints: { app: `${page}/main.ts`, "app-style": `${page}/style.css` },
  outdir: "dist/dashboard",
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});
copyFileSync(join(root, page, "index.html"), join(root, "dist/dashboard/index.html"));
if (existsSync(join(root, "dist/cli.js"))) chmodSync(join(root, "dist/cli.js"), 0o755);
