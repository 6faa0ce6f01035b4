/**
 * Curation beside datatrove: the FineWeb chain (language id, Gopher repetition and quality, C4, FineWeb) and MinHash in
 * 14 × 8 over the same JSON lines, from the file to what is kept. Tilth also stores every document with all its measures;
 * datatrove stops at a document's first failed rule. Compared are processor seconds, of all threads and processes.
 */
import { spawn } from "node:child_process";
import {
  closeSync,
  type Dirent,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { packageRoot, TilthError, writeFully } from "../src/foundation/index.ts";
import { type BenchmarkLine, type Comparison, compare, lineOf } from "./compare.ts";
import type { BenchmarkOptions } from "./main.ts";
import { startPeer } from "./peer.ts";

const megabyte = 1_000_000;
const defaultMegabytes = 200;
const [smallMegabytes, largeMegabytes] = [50, 500];
const proseExtensions = [".md", ".txt", ".rst", ".markdown", ".text", ".adoc", ".html"];
const codeExtensions = [".py", ".js", ".mjs", ".ts", ".h", ".hpp", ".c", ".pl", ".pm", ".tcl", ".vim"];
/** Longer files are mostly data; shorter ones say nothing. */
const [minimumFileBytes, maximumFileBytes] = [200, 1_000_000];

/** `bench -- curate [folder …] [--preset <megabytes>]`; without folders, the text that installed software brought. */
export async function curate(options: BenchmarkOptions): Promise<BenchmarkLine> {
  const megabytes = Number(options.preset ?? defaultMegabytes);
  if (!(megabytes > 0)) throw new TilthError(`--preset is "${options.preset}", expected megabytes of text`);
  const folder = mkdtempSync(join(tmpdir(), "tilth-bench-curate-"));
  try {
    const folders = options.arguments.length > 0 ? options.arguments.map((path) => resolve(path)) : defaultFolders();
    const workers = Math.min(2, availableParallelism());
    const input = join(folder, "input");
    const bytes = gather(folders, input, megabytes * megabyte, workers);
    const runs: TilthRun[] = [];
    const comparison = await compare(
      async () => {
        const run = await runTilth(input, join(folder, `store-${runs.length}`), workers);
        runs.push(run);
        return run.seconds;
      },
      options.peer
        ? [{ setting: `${workers} tasks`, start: () => startPeer("curate.py", { folder: input, workers }) }]
        : [],
      // A repetition takes minutes, most of them the peer's.
      1,
      options.warn,
    );
    const memory = options.memory ? await memoryOf(folders, folder, workers) : {};
    return {
      ...lineOf(
        comparison,
        {
          name: "curate",
          config: `${(bytes / megabyte).toFixed(0)} MB of text, ${runs[0].documents} documents, ${workers} workers`,
          unit: "processor seconds",
          peerName: "datatrove",
          shareOfPeak: null,
        },
        { ...rates(bytes, comparison), wallSeconds: runs[0].wallSeconds, kept: runs[0].kept, ...memory },
      ),
      peakRssBytes: runs[0].peakRssBytes,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function rates(bytes: number, { tilth, peer }: Comparison) {
  return {
    megabytesPerCoreSecond: bytes / megabyte / tilth.median,
    peerMegabytesPerCoreSecond: peer && bytes / megabyte / peer.median,
  };
}

/** Peak memory over ten times as much text; flat means that the second is like the first. */
async function memoryOf(folders: readonly string[], folder: string, workers: number) {
  const peaks: Record<string, number> = {};
  for (const wanted of [smallMegabytes, largeMegabytes]) {
    const input = join(folder, `memory-${wanted}`);
    const bytes = gather(folders, input, wanted * megabyte, workers);
    const { peakRssBytes } = await runTilth(input, join(folder, `memory-store-${wanted}`), workers);
    peaks[`peakRssBytesAt${Math.round(bytes / megabyte)}MB`] = peakRssBytes;
    rmSync(input, { recursive: true });
  }
  return peaks;
}

interface TilthRun {
  /** Of the processor, in all threads. */
  readonly seconds: number;
  readonly wallSeconds: number;
  readonly peakRssBytes: number;
  readonly documents: number;
  readonly kept: number;
}

/** One build in a process of its own, from nothing: no cache, no store. */
async function runTilth(input: string, folder: string, workers: number): Promise<TilthRun> {
  const program = `
    import { buildCorpus } from ${JSON.stringify(join(packageRoot(), "dist", "index.js"))};
    const started = performance.now();
    const { documents, kept } = await buildCorpus({
      sources: [{ reader: "jsonl", path: ${JSON.stringify(input)}, kind: "web" }],
      folder: ${JSON.stringify(join(folder, "corpus"))},
      workers: ${workers},
      settings: { licences: { accept: ["allow", "attribute", "review"] }, deduplication: { minimumSimilarity: null } },
    });
    const { user, system } = process.cpuUsage();
    console.log(JSON.stringify({
      documents, kept, seconds: (user + system) / 1e6, wallSeconds: (performance.now() - started) / 1000,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
    }));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
  });
  const code = await new Promise((done) => child.on("close", done));
  rmSync(folder, { recursive: true, force: true });
  if (code !== 0) throw new TilthError(`the build of the benchmark left with ${code}`);
  return JSON.parse(output) as TilthRun;
}

/** What is there on most machines, and what the peer's Python has installed. */
function defaultFolders(): string[] {
  const python = process.env.TILTH_PYTHON;
  return [
    join(packageRoot(), "node_modules"),
    "/usr/share/doc",
    "/usr/share",
    ...entries("/usr/lib").filter((path) => /^(python3|node)/.test(basename(path))),
    ...(python === undefined ? [] : [join(dirname(dirname(python)), "lib")]),
    "/usr/include",
  ];
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/**
 * Writes so many bytes of text as JSON lines, a file for each worker: prose first, then code, in the order of the folders.
 * Returns the bytes written; fewer where the folders hold less.
 */
function gather(folders: readonly string[], target: string, wanted: number, files: number): number {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const descriptors = Array.from({ length: files }, (_, file) => openSync(join(target, `${file}.jsonl`), "w"));
  let total = 0;
  let documents = 0;
  try {
    for (const extensions of [proseExtensions, codeExtensions]) {
      const seen = new Set<string>();
      for (const folder of folders) {
        for (const file of textFiles(folder, extensions)) {
          if (total >= wanted) return total;
          if (seen.has(file)) continue;
          seen.add(file);
          const text = textOf(file);
          if (text === undefined) continue;
          const line = JSON.stringify({ id: String(documents), text });
          writeFully(descriptors[documents++ % files], `${line}\n`);
          total += Buffer.byteLength(text);
        }
      }
    }
    return total;
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

function* textFiles(folder: string, extensions: readonly string[]): Generator<string> {
  let found: Dirent[] = [];
  try {
    found = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    // A folder that cannot be read is one without text.
  }
  for (const entry of found) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* textFiles(path, extensions);
    else if (entry.isFile() && extensions.includes(extname(entry.name).toLowerCase())) yield path;
  }
}

function textOf(file: string): string | undefined {
  try {
    const { size } = statSync(file);
    if (size < minimumFileBytes || size > maximumFileBytes) return undefined;
    const text = readFileSync(file, "utf8");
    return text.includes("\u0000") || text.includes("\ufffd") ? undefined : text;
  } catch {
    return undefined;
  }
}
