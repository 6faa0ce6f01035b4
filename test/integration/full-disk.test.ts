import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-full-"));
const disk = join(folder, "disk");
mkdirSync(disk);

/** A small disk exists only for one process and its children: a tmpfs in a mount namespace of its own. */
const namespaces = [["-m"], ["-rm"]].find(
  (options) => spawnSync("unshare", [...options, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]).status === 0,
);

function onDiskOf(kibibytes: number, script: string) {
  const whole = `set -e; mount -t tmpfs -o size=${kibibytes}k tmpfs "${disk}"; cd "${disk}"; ${script}`;
  return spawnSync("unshare", [...(namespaces ?? []), "bash", "-c", whole], { encoding: "utf8" });
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(namespaces === undefined)("a full disk (skipped where unshare may not mount a tmpfs)", () => {
  it("lets training go on with warnings, keeps the last good checkpoint, and ends with one clear error", () => {
    const run = join(folder, "run");
    const corpus = join(process.cwd(), "src");
    const made = spawnSync(
      process.execPath,
      [cli, "quickstart", "--minutes", "0.05", "--corpus", corpus, "--run", run, "--vocabulary", "500"],
      { encoding: "utf8" },
    );
    expect(made.stderr).toContain("Summary");
    const description = JSON.parse(readFileSync(join(run, "run.json"), "utf8"));
    description.training = { ...description.training, steps: 60, checkpointEvery: 5, keepCheckpoints: 50 };
    const slim = join(folder, "slim");
    mkdirSync(slim);
    cpSync(join(run, "shards"), join(slim, "shards"), { recursive: true });
    writeFileSync(join(slim, "run.json"), JSON.stringify(description));
    // Room for the shards and a few checkpoints; the next one meets the end of the disk.
    const { stdout, stderr } = onDiskOf(
      9000,
      `cp -r "${slim}" run; set +e
       "${process.execPath}" "${cli}" train --resume run; echo "code $?"
       cat run/checkpoints/latest; ls -a run/checkpoints
       last=$(cat run/checkpoints/latest)
       "${process.execPath}" "${cli}" generate "run/checkpoints/$last" --tokens 5 > /dev/null; echo "generates $?"`,
    );
    expect(stdout).toContain("code 1");
    expect(stderr).toMatch(
      /^tilth: the checkpoint of step \d+ could not be written: the disk is full: .*training goes on, the last good one is of step \d+/m,
    );
    expect(stderr).toMatch(/step 60: validation loss/);
    expect(stderr).toMatch(/^tilth: the disk is full: /m);
    expect(stderr).not.toContain("    at ");
    expect(stdout).toContain("generates 0");
    const names = stdout.split("\n");
    expect(names.filter((name) => name.startsWith("step-")).length).toBeGreaterThanOrEqual(2);
    expect(names.filter((name) => name.includes("temporary") || name.includes(".tmp"))).toEqual([]);
  });

  it("ends a build with one clear error, and leaves no store", () => {
    const { stdout, stderr } = onDiskOf(
      300,
      `set +e; "${process.execPath}" "${cli}" data build --folder "${join(process.cwd(), "src")}" --corpus store
       echo "code $?"; ls -a`,
    );
    expect(stdout).toContain("code 1");
    expect(stderr).toMatch(/^tilth: the disk is full: /m);
    expect(stderr).not.toContain("    at ");
    expect(stdout.split("\n")).not.toContain("store");
  });
});
