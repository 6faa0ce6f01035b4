import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openDocumentStore } from "../../src/corpus/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-bad-"));
const cli = join(process.cwd(), "dist", "cli.js");

function tilth(parameters: string[], environment: Record<string, string> = {}) {
  return spawnSync(process.execPath, [cli, ...parameters], {
    encoding: "utf8",
    cwd: folder,
    env: { ...process.env, ...environment },
  });
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("bad input", () => {
  it.each([
    ["an unknown command", ["trian"], 'Did you mean "train"?'],
    ["an unknown option", ["quickstart", "--minuts", "1"], "Did you mean --minutes?"],
    ["a value that is no number", ["quickstart", "--minutes", "soon"], '--minutes is "soon"'],
    ["a missing folder", ["quickstart", "--corpus", "nowhere"], "there is no such folder"],
    ["a run that is none", ["train", "--resume", "nowhere"], "is no run"],
    ["a missing checkpoint", ["generate", "nowhere"], "there is no checkpoint at nowhere"],
    ["a missing corpus", ["data", "report", "--corpus", "nowhere"], "there is no corpus in"],
  ])("is one clear error: %s", (_what, parameters, message) => {
    const { status, stderr, stdout } = tilth(parameters);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toContain(message);
    expect(stderr.startsWith("tilth: ") || stderr.includes("\ntilth: ")).toBe(true);
    expect(stderr).not.toContain("    at ");
    expect(stdout).toBe("");
  });

  it("is named for a folder without text, and nothing is left behind", () => {
    mkdirSync(join(folder, "empty"));
    const { status, stderr } = tilth(["data", "build", "--folder", "empty", "--corpus", "out"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/no text/);
    expect(existsSync(join(folder, "out"))).toBe(false);
  });

  it("keeps bad files as rejected rows with their reasons: binary, invalid UTF-8, a 1 GB line", () => {
    const texts = join(folder, "texts");
    mkdirSync(texts);
    writeFileSync(
      join(texts, "good.md"),
      "The quick brown fox jumps over the lazy dog, and that is the whole story of the day.\n".repeat(3),
    );
    writeFileSync(join(texts, "binary.md"), Buffer.from(Array.from({ length: 4000 }, (_, i) => (i * 7) % 256)));
    writeFileSync(join(texts, "invalid.md"), Buffer.from([72, 105, 32, 0xc3, 0x28, 10]));
    writeFileSync(join(texts, "line.md"), "x");
    truncateSync(join(texts, "line.md"), 1e9);
    const built = tilth(["data", "build", "--folder", "texts", "--corpus", "store", "--accept", "review", "--json"]);
    expect(built.status, built.stderr).toBe(0);
    const counts = JSON.parse(built.stdout) as { documents: number; rejectedByReason: Record<string, number> };
    expect(counts.documents).toBe(4);
    expect(Object.keys(counts.rejectedByReason).filter((reason) => reason.startsWith("read: "))).toHaveLength(3);
  });

  it("is explained by `data why`: for a kept and a rejected document, everything that decided", async () => {
    const store = await openDocumentStore(join(folder, "store"));
    const rows = await store.query("SELECT id, path, kept FROM documents ORDER BY path");
    store.close();
    for (const { id, path, kept } of rows) {
      const { status, stdout } = tilth(["data", "why", String(id), "--corpus", "store"]);
      expect(status).toBe(0);
      expect(stdout).toContain(String(path));
      for (const part of ["Verdict", "Licence", "evidence", "Language", "Duplicates"]) expect(stdout).toContain(part);
      expect(stdout.includes("rejected")).toBe(!kept);
      expect(stdout.includes("against")).toBe(!kept);
    }
    expect(tilth(["data", "why", "zzzz", "--corpus", "store"]).status).toBe(1);
  });

  it("is refused where the level is unknown or the file has another form", () => {
    const { status, stderr } = tilth(["doctor", "--backend", "cpu"], { TILTH_ISA: "mmx" });
    expect(status).toBe(1);
    expect(stderr).toContain('TILTH_ISA is "mmx"');
    mkdirSync(join(folder, "odd"));
    writeFileSync(join(folder, "odd", "config.json"), '{"architectures":["MambaForCausalLM"]}');
    expect(tilth(["generate", "odd"]).stderr).toContain("MambaForCausalLM");
  });
});
