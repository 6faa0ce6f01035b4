import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plainTemplate } from "../../src/adaptation/index.ts";
import { type Backend, createBackend, type Engine } from "../../src/engine/index.ts";
import { scoreContinuations } from "../../src/evaluation/index.ts";
import { generateBatch } from "../../src/generation/index.ts";
import type { LanguageModel } from "../../src/models/index.ts";
import type { Tokenizer } from "../../src/tokenizer/index.ts";
import { writeLlama } from "../support/checkpoints.ts";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-serve-"));
const started: ChildProcess[] = [];
let backend: Backend;
let loaded: { model: LanguageModel; engine: Engine; tokenizer: Tokenizer };

afterAll(() => {
  for (const one of started) one.kill("SIGKILL");
  backend?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

interface Served {
  readonly url: string;
  readonly process: ChildProcess;
  readonly client: OpenAI;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
}

/** A server as users start it, on a port of its own. */
async function serve(checkpoint: string, ...options: string[]): Promise<Served> {
  const child = spawn(
    process.execPath,
    [cli, "serve", join(folder, checkpoint), "--name", "tiny", "--port", "0", "--threads", "1", ...options],
    { env: { ...process.env, TILTH_API_KEY: "" } },
  );
  started.push(child);
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr?.on("data", (data: Buffer) => {
      said += data.toString();
      if (process.env.SAY) process.stdout.write(data);
      const found = /at (http:\/\/\S+)\/v1/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    ended.then((code) => reject(new Error(`the server left with ${code}: ${said}`)));
  });
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  return { url, process: child, client, ended };
}

let base: Served;

beforeAll(async () => {
  backend = await createBackend("cpu", { threads: 1 });
  loaded = await writeLlama(join(folder, "base"), backend);
  cpSync(join(folder, "base"), join(folder, "assistant"), { recursive: true });
  const file = join(folder, "assistant", "tokenizer_config.json");
  const settings = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, JSON.stringify({ ...settings, chat_template: plainTemplate }));
  base = await serve("base", "--slots", "4");
});

/** What the model writes by the loop that `tilth generate` uses. */
async function written(text: string, maximumTokens: number): Promise<string> {
  const { engine, model, tokenizer } = loaded;
  const { endOfText } = tokenizer;
  const prompt = Int32Array.of(endOfText, ...tokenizer.encode(text));
  const tokens: number[] = [];
  const options = { temperature: 0, topP: 1, topK: 0, seed: 0, maximumTokens, endOfText };
  for await (const { token } of generateBatch(engine, model, [prompt], options)) tokens.push(token);
  return tokenizer.decode(Int32Array.from(tokens));
}

const prompts = ["The licence says", "Many girls", "a", "Who should the authors of the work"];

describe("OpenAI's own client", () => {
  it("gets the completions that the model writes, alone and side by side, whole and as a stream", async () => {
    const expected: string[] = [];
    for (const prompt of prompts) expected.push(await written(prompt, 24));
    const ask = (prompt: string | string[]) =>
      base.client.completions.create({ model: "tiny", prompt, max_tokens: 24, temperature: 0 });
    for (const [index, prompt] of prompts.entries()) {
      const { choices, usage } = await ask(prompt);
      expect(choices[0].text).toBe(expected[index]);
      expect(usage?.completion_tokens).toBe(24);
      expect(usage?.prompt_tokens).toBe(1 + loaded.tokenizer.encode(prompt).length);
      expect(choices[0].finish_reason).toBe("length");
    }
    const together = await Promise.all([...prompts, ...prompts].map(ask));
    expect(together.map(({ choices }) => choices[0].text)).toEqual([...expected, ...expected]);
    expect((await ask(prompts)).choices.map(({ text }) => text)).toEqual(expected);
    const stream = await base.client.completions.create({
      ...{ model: "tiny", prompt: prompts[0], max_tokens: 24, temperature: 0, stream: true },
      stream_options: { include_usage: true },
    });
    let text = "";
    let tokens = 0;
    for await (const { choices, usage } of stream) {
      text += choices[0]?.text ?? "";
      tokens = usage?.completion_tokens ?? tokens;
    }
    expect(text).toBe(expected[0]);
    expect(tokens).toBe(24);
  });

  it("draws the same answers for the same seed, whatever else is asked", async () => {
    const ask = (seed: number) =>
      base.client.completions.create({ model: "tiny", prompt: "The", max_tokens: 20, seed, n: 2, temperature: 0.9 });
    const alone = await ask(7);
    const [again, other] = await Promise.all([ask(7), ask(8), ask(9)]);
    const texts = ({ choices }: typeof alone) => choices.map(({ text }) => text);
    expect(texts(again)).toEqual(texts(alone));
    expect(texts(other)).not.toEqual(texts(alone));
    expect(alone.choices[0].text).not.toBe(alone.choices[1].text);
  });

  it("ends before a stop, which may lie across tokens", async () => {
    const whole = await written(prompts[0], 24);
    const stop = whole.slice(9, 14);
    const request = { model: "tiny", prompt: prompts[0], max_tokens: 24, temperature: 0, stop: [stop, "@@@"] };
    const { choices } = await base.client.completions.create(request);
    expect(choices[0]).toMatchObject({ text: whole.slice(0, whole.indexOf(stop)), finish_reason: "stop" });
    let streamed = "";
    for await (const part of await base.client.completions.create({ ...request, stream: true })) {
      streamed += part.choices[0].text;
    }
    expect(streamed).toBe(choices[0].text);
  });

  it("is told probabilities, which are those that evaluation computes", async () => {
    const { choices } = await base.client.completions.create({
      ...{ model: "tiny", prompt: "Many girls", max_tokens: 6, temperature: 0, logprobs: 3, echo: false },
    });
    const { tokens, token_logprobs: each, top_logprobs: top } = choices[0].logprobs!;
    expect(tokens?.join("")).toBe(choices[0].text);
    const { engine, model, tokenizer } = loaded;
    const ids = Int32Array.of(tokenizer.endOfText, ...tokenizer.encode("Many girls"));
    const scored = [];
    const options = { temperature: 0, topP: 1, topK: 0, seed: 0, maximumTokens: 6, endOfText: tokenizer.endOfText };
    for await (const { token } of generateBatch(engine, model, [ids], options)) scored.push(token);
    const asText = {
      endOfText: tokenizer.endOfText,
      encode: (text: string) => Int32Array.from(JSON.parse(text) as number[]),
    };
    const [{ logLikelihood }] = await scoreContinuations(engine, model, asText, [
      { text: "", context: "", continuation: JSON.stringify([...ids.slice(1), ...scored]) },
    ]);
    const [{ logLikelihood: before }] = await scoreContinuations(engine, model, asText, [
      { text: "", context: "", continuation: JSON.stringify([...ids.slice(1)]) },
    ]);
    expect(each?.reduce((sum, one) => sum + one, 0)).toBeCloseTo(logLikelihood - before, 3);
    for (const [index, one] of top!.entries()) {
      expect(Object.keys(one)).toHaveLength(3);
      expect(Math.max(...Object.values(one))).toBeCloseTo(each![index], 6);
    }
  });

  it("gets vectors of length 1, in both encodings", async () => {
    const input = ["a text", "another, longer text"];
    const decoded = await base.client.embeddings.create({ model: "tiny", input });
    const plain = await base.client.embeddings.create({ model: "tiny", input, encoding_format: "float" });
    for (const [index, { embedding }] of decoded.data.entries()) {
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 4);
      for (const [at, value] of plain.data[index].embedding.entries()) expect(embedding[at]).toBeCloseTo(value, 6);
    }
  });

  it("chats with a model that has a template, and is told why where there is none", async () => {
    const assistant = await serve("assistant");
    const messages = [{ role: "user" as const, content: "Which colour is it?" }];
    const request = { model: "tiny", messages, max_completion_tokens: 12, temperature: 0 };
    const { choices, usage } = await assistant.client.chat.completions.create(request);
    const asked = "### User:\nWhich colour is it?\n\n### Assistant:\n";
    expect(choices[0].message).toMatchObject({ role: "assistant", content: await written(asked, 12) });
    expect(usage?.completion_tokens).toBe(12);
    let streamed = "";
    for await (const part of await assistant.client.chat.completions.create({ ...request, stream: true })) {
      streamed += part.choices[0].delta.content ?? "";
    }
    expect(streamed).toBe(choices[0].message.content);
    await expect(base.client.chat.completions.create(request)).rejects.toMatchObject({
      ...{ status: 400, code: "no_chat_template" },
      message: expect.stringContaining("it is a base model"),
    });
    assistant.process.kill("SIGTERM");
    expect(await assistant.ended).toBe(0);
  });

  it("is told what is wrong with a request", async () => {
    const ask = (more: object) =>
      base.client.completions.create({
        model: "tiny",
        prompt: "a",
        ...more,
      } as OpenAI.CompletionCreateParamsNonStreaming);
    await expect(ask({ model: "other" })).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    await expect(ask({ temperature: 3 })).rejects.toMatchObject({ status: 400, param: "temperature" });
    await expect(ask({ best_of: 3 })).rejects.toMatchObject({
      status: 400,
      code: "unsupported_parameter",
      param: "best_of",
    });
    await expect(ask({ prompt: "word ".repeat(300) })).rejects.toMatchObject({ code: "context_length_exceeded" });
    await expect(ask({ prompt: [1, 999_999] })).rejects.toMatchObject({ status: 400, code: "invalid_token" });
    expect((await base.client.models.list()).data.map(({ id }) => id)).toEqual(["tiny"]);
    await expect(base.client.models.retrieve("other")).rejects.toMatchObject({ status: 404 });
  });
});

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/completions`, { method: "POST", body, headers });

describe("what comes from outside", () => {
  it("is answered with an error and never with a crash", async () => {
    const { url } = base;
    expect((await post(url, "{ no json")).status).toBe(400);
    expect((await post(url, "[1, 2]")).status).toBe(400);
    expect((await post(url, JSON.stringify({ model: "tiny", prompt: "a".repeat(2_000_000) }))).status).toBe(413);
    expect((await fetch(`${url}/v1/completions`)).status).toBe(405);
    for (const path of ["/", "/v1", "/../../etc/passwd", "/v1/%2e%2e/%2e%2e/etc/passwd", "/v1/models/..%2f..", "//x"]) {
      expect((await fetch(url + path)).status, path).toBe(404);
    }
    // Not even HTTP.
    const raw = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () =>
        socket.end("\u0000\u0001 no request\r\n\r\n"),
      );
      let said = "";
      socket.on("data", (data) => {
        said += data.toString();
      });
      socket.on("close", () => resolve(said));
    });
    expect(raw).toMatch(/^HTTP\/1\.1 400/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it("is refused without the key, whatever it asks", async () => {
    writeFileSync(join(folder, "keys"), "first-key\nsecond-key\n");
    const { url, process: child } = await serve("base", "--api-key-file", join(folder, "keys"));
    const good = { authorization: "Bearer second-key" };
    const body = JSON.stringify({ model: "tiny", prompt: "a", max_tokens: 1 });
    for (const headers of [
      {},
      { authorization: "Bearer wrong" },
      { authorization: "second-key" },
      { authorization: "Bearer first-key\tx" },
    ]) {
      expect((await post(url, body, headers as Record<string, string>)).status).toBe(401);
      for (const path of ["/v1/models", "/metrics", "/v1/embeddings", "/nothing"]) {
        const answer = await fetch(url + path, { headers: headers as Record<string, string> });
        expect(answer.status, path).toBe(401);
        expect(await answer.text()).not.toContain("tiny");
      }
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await post(url, body, good)).status).toBe(200);
    expect(await (await fetch(`${url}/metrics`, { headers: good })).text()).toContain("tilth_serve_requests_total");
    child.kill("SIGKILL");
    await expect(serve("base", "--host", "0.0.0.0")).rejects.toThrow("a key is needed");
  });

  it("that arrives too slowly is dropped, and so is one that waits too long", async () => {
    const { url, process: child } = await serve(
      "base",
      "--read-seconds",
      "1",
      "--request-seconds",
      "1",
      "--slots",
      "1",
    );
    const dropped = (begin: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(begin));
        let said = "";
        socket.on("data", (data) => {
          said += data.toString();
        });
        socket.on("close", () => resolve(said));
        socket.on("error", () => resolve(said));
      });
    const slow = await Promise.all([
      dropped("POST /v1/completions HTTP/1.1\r\nhost: a\r\n"),
      dropped("POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{"),
    ]);
    for (const said of slow) expect(said === "" || said.includes("408")).toBe(true);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    child.kill("SIGKILL");
  });

  it("frees its slot when it leaves, and waits its turn where all are taken", async () => {
    const { url, client, process: child } = await serve("base", "--slots", "1", "--queue", "0");
    const long = { model: "tiny", prompt: "a", max_tokens: 120, temperature: 0 };
    const leaving = new AbortController();
    const stream = await client.completions.create({ ...long, stream: true, n: 1 }, { signal: leaving.signal });
    for await (const _ of stream) break;
    leaving.abort();
    // The slot is free again at the next step.
    let answer = await post(url, JSON.stringify({ ...long, max_tokens: 2 }));
    for (let tries = 0; answer.status === 429 && tries < 50; tries++) {
      expect(answer.headers.get("retry-after")).toBe("1");
      await new Promise((resolve) => setTimeout(resolve, 20));
      answer = await post(url, JSON.stringify({ ...long, max_tokens: 2 }));
    }
    expect(answer.status).toBe(200);
    const several = await Promise.all(Array.from({ length: 6 }, () => post(url, JSON.stringify(long))));
    const statuses = several.map(({ status }) => status);
    expect(statuses).toContain(200);
    expect(statuses).toContain(429);
    child.kill("SIGKILL");
  });

  it("may be a thousand at once", async () => {
    const { url, process: child } = await serve("base", "--queue", "2000");
    const body = JSON.stringify({ model: "tiny", prompt: "a", max_tokens: 2, temperature: 0 });
    const residentOf = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0);
    const rounds: number[] = [];
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(Array.from({ length: 1000 }, async () => (await post(url, body)).json()));
      const texts = new Set(answers.map((one) => (one as OpenAI.Completion).choices[0].text));
      expect(texts.size).toBe(1);
      if (process.platform === "linux") rounds.push(residentOf());
    }
    // Later thousands take no more than what the first needed, give or take what the collector has not seen yet.
    if (rounds.length > 0) expect(rounds[2]).toBeLessThan(rounds[0] * 1.3);
    child.kill("SIGKILL");
  });
});

it("at the end running answers are finished and no new ones taken", async () => {
  const { url, client, process: child, ended } = await serve("base");
  const request = { model: "tiny", prompt: "a", max_tokens: 120, temperature: 0, stream: true } as const;
  const stream = await client.completions.create(request);
  let tokens = 0;
  for await (const part of stream) {
    if (tokens++ === 0) child.kill("SIGTERM");
    if (part.choices[0].finish_reason !== null) break;
  }
  expect(tokens).toBeGreaterThan(50);
  expect(await ended).toBe(0);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
