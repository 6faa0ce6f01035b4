import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Browser } from "puppeteer-core";
import { afterAll, expect, it } from "vitest";
import { chromium, openBrowser } from "./chromium.ts";

const site = join(process.cwd(), "build", "docs");
const types: Record<string, string> = {
  ...{ ".html": "text/html", ".js": "text/javascript", ".css": "text/css" },
  ...{ ".png": "image/png", ".svg": "image/svg+xml", ".json": "application/json" },
};
let server: Server | undefined;
let browser: Browser | undefined;
afterAll(async () => {
  await browser?.close();
  server?.close();
});

/** The site as any server of files has it. */
function serve(): Promise<string> {
  const made = createServer((request, response) => {
    const path = join(site, decodeURIComponent(new URL(request.url ?? "/", "http://site").pathname));
    const file = [path, join(path, "index.html"), `${path}.html`].find(
      (one) => existsSync(one) && statSync(one).isFile(),
    );
    response.writeHead(file === undefined ? 404 : 200, { "content-type": types[extname(file ?? "")] ?? "text/plain" });
    response.end(file === undefined ? "" : readFileSync(file));
  });
  server = made;
  return new Promise((resolve) => {
    made.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(made.address() as AddressInfo).port}`));
  });
}

it("is built from the pages and the program, without a dead link, and is searched without asking anybody", async (context) => {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "docs"], { encoding: "utf8" });
  if (/ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH/.test(stderr)) {
    context.skip("npm reaches no registry, and the generator is not in its cache");
  }
  expect(status, stdout + stderr).toBe(0);
  for (const page of [
    "tutorial",
    "concepts",
    "data/filters",
    "reference/commands",
    "reference/configuration",
    "reference/api/index",
  ])
    expect(existsSync(join(site, `${page}.html`)), page).toBe(true);
  const configuration = readFileSync(join(site, "reference", "configuration.html"), "utf8");
  for (const setting of [
    "training.steps",
    "training.samples.prompts",
    "corpus.settings.licences.accept",
    "images.path",
  ])
    expect(configuration).toContain(setting);
  if (chromium === undefined) return;
  const url = await serve();
  browser = await openBrowser();
  const page = await browser.newPage();
  const foreign: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("data:")) foreign.push(request.url());
  });
  await page.goto(`${url}/tutorial`, { waitUntil: "networkidle0" });
  expect(await page.$eval("h1", (one) => one.textContent)).toContain("Ten-minute tutorial");
  await page.click(".VPNavBarSearch button");
  await page.waitForSelector(".search-input");
  await page.type(".search-input", "near duplicates");
  await page.waitForSelector(".results .result");
  const found = await page.$$eval(".results .result", (all) => all.map((one) => one.getAttribute("href") ?? ""));
  expect(found.some((one) => one.includes("/data/"))).toBe(true);
  expect(foreign).toEqual([]);
});
