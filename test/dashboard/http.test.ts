import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { type RunningDashboard, startDashboard } from "../../src/dashboard/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-dashboard-"));
mkdirSync(join(folder, "run"));
writeFileSync(join(folder, "run", "log.jsonl"), `${JSON.stringify({ kind: "step", step: 1, loss: 3, tokens: 1 })}\n`);
const started: RunningDashboard[] = [];
afterAll(async () => {
  await Promise.all(started.map((one) => one.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function start(host = "127.0.0.1"): Promise<URL> {
  const dashboard = await startDashboard({ folders: [folder], host, port: 0 });
  started.push(dashboard);
  const url = new URL(dashboard.url);
  if (host === "0.0.0.0") url.hostname = "127.0.0.1";
  return url;
}

/** A request whose headers are exactly these; `fetch` would correct some. */
function ask(
  url: URL,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  body = "",
): Promise<{ status: number; text: string; headers: Record<string, string | string[] | undefined> }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: url.hostname, port: url.port, path, method, headers }, (answer) => {
      let text = "";
      answer.on("data", (part: Buffer) => {
        text += part.toString();
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

it("answers this machine, and no website that leads a name of its own here or asks across sites", async () => {
  const url = await start();
  expect((await ask(url, "/api/overview")).status).toBe(200);
  expect((await ask(url, "/api/overview", { host: `localhost:${url.port}` })).status).toBe(200);
  expect((await ask(url, "/api/overview", { host: "evil.example" })).status).toBe(403);
  expect((await ask(url, "/api/overview", { origin: "https://evil.example" })).status).toBe(403);
  expect((await ask(url, "/api/overview", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" })).status).toBe(
    403,
  );
  expect(
    (await ask(url, "/api/open?group=00000000&name=a&bytes=1", { origin: "http://localhost:1" }, "POST", "x")).status,
  ).toBe(403);
  expect((await ask(url, "/", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).status).toBe(200);
  const page = await ask(url, "/");
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
});

it("asks for a token on other addresses, and takes it from the printed address, a cookie or a header", async () => {
  const url = await start("0.0.0.0");
  const token = url.searchParams.get("token")!;
  expect(token.length).toBeGreaterThan(20);
  for (const path of ["/", "/api/overview", "/api/events", "/api/runs/x/details", "/app.js"]) {
    expect((await ask(url, path)).status, path).toBe(403);
    expect((await ask(url, `${path}?token=wrong`)).status, path).toBe(403);
  }
  const entered = await ask(url, `/?token=${token}`);
  expect(entered.status).toBe(303);
  const [cookie] = String(entered.headers["set-cookie"]).split(";");
  expect(String(entered.headers["set-cookie"])).toMatch(/HttpOnly.*SameSite=Strict/);
  expect((await ask(url, "/api/overview", { cookie })).status).toBe(200);
  expect((await ask(url, "/api/overview", { authorization: `Bearer ${token}` })).status).toBe(200);
});

it("says what it cannot do, and reads nothing but what it shows", async () => {
  const url = await start();
  const { runs } = JSON.parse((await ask(url, "/api/overview")).text) as { runs: { id: string; name: string }[] };
  expect(runs).toHaveLength(1);
  const [{ id }] = runs;
  for (const path of [
    "/../package.json",
    "/%2e%2e/package.json",
    "/api/runs/../../etc/passwd/details",
    `/api/runs/${id}/lineage/..%2f..%2fetc`,
    `/api/runs/${id}/secrets`,
    "/api/ladders/x",
    "/nothing",
    "//",
  ]) {
    const { status, text } = await ask(url, path);
    expect(status, path).toBe(404);
    expect(text, path).not.toContain("root:");
  }
  expect((await ask(url, `/api/runs/${id}/report`)).status).toBe(422);
  expect((await ask(url, "/api/overview", {}, "DELETE")).status).toBe(405);
  expect((await ask(url, "/api/plan/answer?budget=no")).status).toBe(400);
  for (const name of ["..%2Fevil", "..", "a%2Fb", ""]) {
    expect((await ask(url, `/api/open?group=00000000&name=${name}&bytes=1`, {}, "POST", "x")).status, name).toBe(400);
  }
  expect((await ask(url, "/api/open?group=..%2f..&name=a&done=1", {}, "POST")).status).toBe(400);
  expect((await ask(url, "/api/open?group=0123456789&name=log.txt&bytes=1", {}, "POST", "x")).status).toBe(200);
  expect((await ask(url, "/api/open?group=0123456789&name=log.txt&done=1", {}, "POST")).status).toBe(422);
});
