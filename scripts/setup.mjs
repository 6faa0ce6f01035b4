// Does whatever set-up is missing or stale before `npm start`, `npm test` and `npm run bench`; silent where nothing is.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const say = (text) => process.stderr.write(`tilth setup: ${text}\n`);

function fail(text, remedy) {
  process.stderr.write(`tilth: ${text}\n  ${remedy}\n`);
  process.exit(1);
}

/** True where node_modules holds the lockfile's versions. */
function packagesInstalled() {
  const installedFile = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) return false;
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "") return true;
    const found = installed[path];
    return found ? found.version === entry.version : entry.optional === true || entry.devOptional === true;
  });
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== "node_modules")
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

/** A hash of everything that the bundle is made from. */
function sourceHash() {
  const hash = createHash("sha256");
  const files = [
    ...filesBelow(join(root, "src")),
    ...filesBelow(join(root, "bench")),
    join(root, "scripts/bundle.mjs"),
  ];
  for (const file of [...files, join(root, "package-lock.json")]) {
    hash.update(file.slice(root.length));
    hash.update(readFileSync(file));
  }
  return hash.digest("hex");
}

const major = Number(process.versions.node.split(".")[0]);
if (major < 20) fail(`Node ${process.versions.node} is too old; Tilth needs Node 20 or newer`, "https://nodejs.org");

if (!packagesInstalled()) {
  say("installing packages (npm ci)");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (npm.status !== 0)
    fail("npm ci did not succeed", "Check the network connection to the npm registry and try again.");
}

const stamp = join(root, "dist", ".sources");
const hash = sourceHash();
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== hash) {
  say("bundling");
  execFileSync(process.execPath, [join(root, "scripts/bundle.mjs")], { cwd: root, stdio: ["ignore", 2, 2] });
  writeFileSync(stamp, hash);
}

const native = spawnSync(process.execPath, [join(root, "dist/native-build.js")], {
  cwd: root,
  stdio: ["ignore", 2, 2],
});
if (native.status !== 0) fail("the native build failed", "The messages above are the compiler's.");
