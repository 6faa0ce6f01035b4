import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { hashFile, Random, writeFully } from "../../src/foundation/index.ts";
import { prose } from "../support/corpora.ts";

// TILTH_KILLED_BUILD=100000 runs the test whole: so many documents, ten kills.
const whole = Number(process.env.TILTH_KILLED_BUILD ?? 0);
const documents = whole || 2000;
const kills = whole ? 10 : 3;
const seed = Number(process.env.TILTH_SEED ?? 1);

const root = mkdtempSync(join(tmpdir(), "tilth-killed-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Documents in two files, one in seven a copy or nearly one. */
function writeDocuments(folder: string): void {
  const descriptor = openSync(folder, "w");
  for (let index = 0; index < documents; index++) {
    const text =
      index % 7 === 0 ? `${prose(9, index % 35)} ${index % 2 === 0 ? "" : prose(1, index)}` : prose(10, index);
    writeFully(descriptor, `${JSON.stringify({ text })}\n`);
  }
  closeSync(descriptor);
}

/** Builds in a process of its own; kills it after so many milliseconds. Whether it was killed before its end. */
async function build(name: string, killAfter?: number): Promise<boolean> {
  const place = ["--read", `jsonl:${join(root, "documents.jsonl")}`, "--corpus", join(root, name, "corpus")];
  const rules = ["--accept", "review", "--remove-repeats", "lines", "--remove-repeats", "substrings", "--workers", "2"];
  const child = spawn(process.execPath, ["dist/cli.js", "data", "build", ...place, ...rules], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (data: Buffer) => {
    errors += data.toString();
  });
  const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfter);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on("close", (...outcome) => resolve(outcome));
  });
  clearTimeout(timer);
  if (signal !== "SIGKILL" && code !== 0) throw new Error(`the build left with ${code}: ${errors}`);
  return signal === "SIGKILL";
}

it(
  `ends in the same bytes after ${kills} kills at random instants as without any (${documents} documents, seed ${seed})`,
  async () => {
    writeDocuments(join(root, "documents.jsonl"));
    const started = performance.now();
    await build("never");
    const duration = performance.now() - started;
    const random = new Random(seed);
    const instants: string[] = [];
    while (instants.length < kills) {
      const instant = random.uniform() * duration;
      if (await build("killed", instant)) instants.push(`${(instant / 1000).toFixed(2)} s`);
      // It was quicker than the instant: begin again from nothing, so that later kills find work to interrupt.
      else rmSync(join(root, "killed"), { recursive: true });
    }
    await build("killed");
    console.log(`never killed: ${(duration / 1000).toFixed(1)} s; killed after ${instants.join(", ")}`);
    for (const name of ["documents.parquet", "corpus.json"]) {
      expect(await hashFile(join(root, "killed", "corpus", name)), name).toBe(
        await hashFile(join(root, "never", "corpus", name)),
      );
    }
    expect(JSON.parse(readFileSync(join(root, "killed", "corpus", "corpus.json"), "utf8")).counts.documents).toBe(
      documents,
    );
    expect(readdirSync(join(root, "killed")).sort()).toEqual(["corpus", "corpus-cache"]);
  },
  24 * 3600 * 1000,
);
