/** A fresh clone without git: what git knows of this one, as it stands, with the packages that are installed already. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";

/** Copies this clone into a folder; builds and runs of the copy leave this one alone. */
export function copyClone(into: string): void {
  const root = process.cwd();
  const { stdout, stderr, status } = spawnSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    { encoding: "utf8" },
  );
  expect(status, stderr).toBe(0);
  for (const file of stdout.split("\0").filter((name) => name !== "" && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(into, file)), { recursive: true });
    cpSync(join(root, file), join(into, file));
  }
  symlinkSync(join(root, "node_modules"), join(into, "node_modules"));
}
