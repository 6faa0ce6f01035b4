/**
 * `npm run chaos -- serve --minutes 10 [--connections 1000]`: a server under clients of every kind at once: patient and impatient
 * ones, slow writers and readers, huge and malformed bodies, wrong keys, odd paths. Its memory is read as it goes on.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBackend } from "../../src/engine/index.ts";
import { packageRoot, quantile, Random } from "../../src/foundation/index.ts";
import { writeSameModel } from "../llama-model.ts";

const key = "stress-key";
const body = (random: Random, more: object = {}) =>
  JSON.stringify({
    model: "stress",
    prompt: `a${random.below(50)}`,
    max_tokens: 1 + random.below(8),
    seed: random.below(99),
    ...more,
  });

/** What became of the requests of one kind. */
type Outcomes = Record<string, number>;

/** One client's act; resolves with what it got: a status, or how it ended. */
type Act = (port: number, random: Random, agent: Agent) => Promise<string>;

const json = { "content-type": "application/json" };

function ask(
  port: number,
  agent: Agent,
  options: {
    path: string;
    method?: string;
    headers?: Record<string, string>;
    body?: string;
    leaveAfter?: number;
    readNothing?: number;
  },
): Promise<string> {
  return new Promise((resolve) => {
    const { path, method = "POST", headers = {}, body: content, leaveAfter, readNothing } = options;
    const sent = request({
      port,
      path,
      method,
      agent,
      headers: { authorization: `Bearer ${key}`, ...json, ...headers },
    });
    sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
    sent.on("response", (answer) => {
      if (leaveAfter !== undefined) setTimeout(() => sent.destroy(), leaveAfter);
      if (readNothing !== undefined) setTimeout(() => sent.destroy(), readNothing);
      else answer.resume();
      answer.on("close", () => resolve(String(answer.statusCode)));
      answer.on("error", () => resolve("broken off"));
    });
    sent.end(content);
  });
}

/** Bytes on a socket, then silence until the server has had enough. */
function slowly(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let said = "";
    socket.on("data", (data) => {
      said += data.toString();
    });
    socket.on("error", () => resolve("reset"));
    socket.on("close", () => resolve(/ (\d{3}) /.exec(said)?.[1] ?? "closed"));
  });
}

const paths = [
  "/../../etc/passwd",
  "/v1/%2e%2e/keys",
  "//",
  "/v1/models/../../x",
  `/${"a".repeat(4000)}`,
  "/v1/completions/",
];

const acts: Readonly<Record<string, Act>> = {
  completion: (port, random, agent) => ask(port, agent, { path: "/v1/completions", body: body(random) }),
  stream: (port, random, agent) => ask(port, agent, { path: "/v1/completions", body: body(random, { stream: true }) }),
  embedding: (port, random, agent) =>
    ask(port, agent, {
      path: "/v1/embeddings",
      body: JSON.stringify({ model: "stress", input: `a${random.below(9)}` }),
    }),
  leaver: (port, random, agent) =>
    ask(port, agent, {
      path: "/v1/completions",
      body: body(random, { stream: true, max_tokens: 60 }),
      leaveAfter: random.below(30),
    }),
  "slow reader": (port, random, agent) =>
    ask(port, agent, {
      path: "/v1/completions",
      body: body(random, { stream: true, max_tokens: 60 }),
      readNothing: 3000,
    }),
  "slow writer": (port, random) =>
    slowly(
      port,
      random.below(2) === 0
        ? "POST /v1/completions HTTP/1.1\r\nhost: a\r\n"
        : `POST /v1/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\ncontent-length: 100\r\n\r\n{`,
    ),
  "huge body": (port, _random, agent) => ask(port, agent, { path: "/v1/completions", body: "x".repeat(1_500_000) }),
  malformed: (port, random, agent) =>
    ask(port, agent, { path: "/v1/completions", body: ["{", "[]", "null", '{"prompt":7}', "\u0000"][random.below(5)] }),
  "wrong key": (port, random, agent) =>
    ask(port, agent, { path: "/v1/completions", body: body(random), headers: { authorization: "Bearer wrong" } }),
  "odd path": (port, random, agent) => ask(port, agent, { path: paths[random.below(paths.length)], method: "GET" }),
};

/** How often each kind comes. */
const shares: readonly (readonly [string, number])[] = [
  ...([
    ["completion", 40],
    ["stream", 20],
    ["embedding", 5],
    ["leaver", 10],
    ["slow reader", 5],
  ] as const),
  ...([
    ["slow writer", 5],
    ["huge body", 2],
    ["malformed", 5],
    ["wrong key", 5],
    ["odd path", 3],
  ] as const),
];

/** The kind that a number below 100 falls on. */
function kindOf(number: number): string {
  let left = number;
  for (const [kind, share] of shares) {
    if (left < share) return kind;
    left -= share;
  }
  return shares[0][0];
}

/** Runs the clients for some minutes; true where the server lived, refused what it should, and its memory stayed flat. */
export async function stressServer(
  minutes: number,
  connections: number,
  say: (text: string) => void,
): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "tilth-stress-"));
  const backend = await createBackend("cpu", { precision: "f32" });
  const sizes = { layers: 2, width: 64, attentionHeads: 4, mlpWidth: 128, vocabularySize: 257 };
  const checkpoint = await writeSameModel(folder, backend, sizes);
  backend.dispose();
  writeFileSync(join(folder, "keys"), `${key}\n`);
  const options = ["--name", "stress", "--port", "0", "--api-key-file", join(folder, "keys"), "--queue", "400"];
  const limits = ["--read-seconds", "3", "--maximum-connections", String(connections + 100), "--slots", "16"];
  const server = spawn(
    process.execPath,
    [join(packageRoot(), "dist", "cli.js"), "serve", checkpoint, ...options, ...limits, "--slot-tokens", "128"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let ended: number | null | undefined;
  server.on("exit", (code) => {
    ended = code;
  });
  const port = await new Promise<number>((resolve) => {
    server.stderr.on("data", (data: Buffer) => {
      const found = /:(\d+)\/v1/.exec(data.toString())?.[1];
      if (found !== undefined) resolve(Number(found));
    });
  });
  const outcomes: Record<string, Outcomes> = {};
  const resident: number[] = [];
  const began = performance.now();
  const until = began + minutes * 60_000;
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const client = async (number: number) => {
    const random = new Random(number);
    while (performance.now() < until && ended === undefined) {
      const kind = kindOf(random.below(100));
      const outcome = await acts[kind](port, random, agent);
      outcomes[kind] ??= {};
      const counts = outcomes[kind];
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      if (outcome === "429") await new Promise((resolve) => setTimeout(resolve, 100 + random.below(400)));
    }
  };
  const sample = setInterval(() => {
    if (ended !== undefined) return;
    resident.push(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
    const seconds = Math.round((performance.now() - began) / 1000);
    if (resident.length % 6 === 0)
      say(`${seconds} s: ${resident.at(-1)!.toFixed(0)} MB resident, ${total(outcomes)} requests`);
  }, 5000);
  await Promise.all(Array.from({ length: connections }, (_, number) => client(number)));
  clearInterval(sample);
  agent.destroy();
  const lived = ended === undefined;
  server.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  for (const [kind, counts] of Object.entries(outcomes)) say(`${kind}: ${JSON.stringify(counts)}`);
  // The first minute warms up; after it the last third must not lie above the first.
  const settled = resident.slice(Math.min(12, Math.floor(resident.length / 3)));
  const third = Math.max(1, Math.floor(settled.length / 3));
  const [first, last] = [settled.slice(0, third), settled.slice(-third)].map((some) => quantile(some, 0.5));
  const unauthorised = Object.entries(outcomes["wrong key"] ?? {}).filter(([outcome]) => /^2/.test(outcome));
  const odd = Object.entries(outcomes["odd path"] ?? {}).filter(([outcome]) => /^2/.test(outcome));
  const flat = last <= first * 1.1;
  const result = {
    minutes,
    connections,
    requests: total(outcomes),
    lived,
    firstThirdMegabytes: first,
    lastThirdMegabytes: last,
    flat,
  };
  process.stdout.write(
    `${JSON.stringify({ ...result, unauthorisedAnswers: unauthorised.length, oddAnswers: odd.length })}\n`,
  );
  return lived && flat && unauthorised.length === 0 && odd.length === 0;
}

function total(outcomes: Record<string, Outcomes>): number {
  return Object.values(outcomes)
    .flatMap((counts) => Object.values(counts))
    .reduce((sum, one) => sum + one, 0);
}
