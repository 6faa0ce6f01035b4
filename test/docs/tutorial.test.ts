import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyClone } from "../support/clone.ts";
import { blocksOf } from "./markdown.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-tutorial-"));
const started: ChildProcess[] = [];

beforeAll(() => copyClone(folder));
afterAll(() => {
  for (const one of started) one.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

describe("the tutorial, typed as it stands", () => {
  const blocks = blocksOf(join("docs", "tutorial.md")).filter(({ language }) => language.startsWith("sh"));

  it("has its blocks", () => {
    expect(blocks.length).toBeGreaterThanOrEqual(9);
  });

  it.each(blocks)("line $line: $text", async ({ text, language }) => {
    if (language.includes("background")) {
      const child = spawn("bash", ["-c", `exec ${text.trim()} --port 0`], { cwd: folder });
      started.push(child);
      const said = await new Promise<string>((resolve) =>
        child.stderr.on("data", (data: Buffer) => resolve(data.toString())),
      );
      const [url] = /http:\/\/\S+/.exec(said) ?? [];
      const overview = (await (await fetch(`${url}api/overview`)).json()) as { runs: { name: string }[] };
      expect(overview.runs.map(({ name }) => name)).toContain(join("runs", "tutorial"));
      return;
    }
    const { status, stdout, stderr } = spawnSync("bash", ["-euo", "pipefail", "-c", text], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  });

  it("ends with a model that other tools read", () => {
    expect(existsSync(join(folder, "runs", "tutorial", "tutorial.gguf"))).toBe(true);
    expect(existsSync(join(folder, "runs", "tutorial", "checkpoints", "step-0000300", "config.json"))).toBe(true);
  });
});
