import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, ElementHandle, Page } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessibilityFaults, chromium, openBrowser } from "./chromium.ts";

const cli = join(process.cwd(), "dist", "cli.js");
const folder = mkdtempSync(join(tmpdir(), "tilth-ui-"));
/** Where pictures for the documentation go, if anywhere. */
const pictures = process.env.TILTH_SCREENSHOTS;
const steps = 240;
let browser: Browser;
let page: Page;
let dashboard: ChildProcess;
let url: string;
const requested: string[] = [];
const faults: string[] = [];

/** A command as users type it; resolves with its exit code and what it said. */
function tilth(...parameters: string[]): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [cli, ...parameters], { cwd: folder });
    let said = "";
    child.stderr.on("data", (data: Buffer) => {
      said += data.toString();
    });
    child.on("exit", (code) => resolve({ code, said }));
  });
}

/** The step at which a chart says that its curve ends. */
async function lastStep(): Promise<number> {
  const label = await page.$eval(".plot", (plot) => plot.getAttribute("aria-label") ?? "");
  return Number(/training: .* at step ([\d.]+k?)/.exec(label)?.[1]?.replace("k", "e3") ?? 0);
}

async function open(view: string): Promise<void> {
  await page.evaluate((name) => {
    location.hash = `#/${name}`;
  }, view);
  await page.waitForFunction(
    (name) => document.querySelector("nav [aria-current]")?.getAttribute("href") === `#/${name}`,
    {},
    view,
  );
}

/** Axe on the view in both themes, and a picture where they are wanted. */
async function check(view: string): Promise<void> {
  for (const value of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    if (pictures !== undefined && (value === "light" || view === "training")) {
      await page.screenshot({ path: join(pictures, `${view}${value === "dark" ? "-dark" : ""}.png`) });
    }
    expect(await accessibilityFaults(page), `${view}, ${value}`).toEqual([]);
  }
}

describe.skipIf(chromium === undefined)("the dashboard in Chromium, over a run as it trains", () => {
  beforeAll(async () => {
    mkdirSync(join(folder, "runs"));
    cpSync(join(process.cwd(), "src"), join(folder, "text"), { recursive: true });
    dashboard = spawn(process.execPath, [cli, "ui", "--port", "0"], { cwd: folder });
    url = await new Promise<string>((resolve) => {
      dashboard.stderr?.on("data", (data: Buffer) => {
        const found = /http:\/\/\S+/.exec(data.toString())?.[0];
        if (found !== undefined) resolve(found);
      });
    });
    browser = await openBrowser();
    page = await browser.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") faults.push(message.text());
    });
    page.on("request", (request) => requested.push(request.url()));
    await page.goto(url);
  });
  afterAll(async () => {
    dashboard?.kill("SIGKILL");
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("shows a run that begins after the page was opened, and its curves as they grow", async () => {
    await page.waitForFunction(() => /No run was found/.test(document.body.textContent));
    writeFileSync(
      join(folder, "tilth.config.ts"),
      `export default { runFolder: "runs/first", corpus: { sources: [{ reader: "folder", path: "text" }],
        settings: { licences: { accept: ["allow", "attribute", "review"] } } },
        tokenizer: { vocabularySize: 600 }, model: { layers: 2, width: 128, attentionHeads: 4 },
        training: { steps: ${steps}, sequenceLength: 128, validateEvery: 40, checkpointEvery: 120,
          samples: { prompts: ["export function ", "/** "], tokens: 24 } } };\n`,
    );
    const trained = tilth("train");
    await page.waitForSelector(".chart canvas", { timeout: 300_000 });
    const seen = new Set<number>();
    let ended = false;
    void trained.then(() => {
      ended = true;
    });
    while (!ended) {
      seen.add(await lastStep());
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const { code, said } = await trained;
    expect(code, said).toBe(0);
    // Live: the page was at several steps between the first and the last.
    expect(seen.size, [...seen].join()).toBeGreaterThan(3);
    await page.waitForFunction(
      (last) =>
        new RegExp(`training: .* at step ${last}`).test(
          document.querySelector(".plot")?.getAttribute("aria-label") ?? "",
        ),
      { timeout: 20_000 },
      steps,
    );
    await check("training");
    const titles = await page.$$eval(".chart:not([hidden]) h2", (all) => all.map((one) => one.textContent));
    for (const title of [
      "Loss, nats a token",
      "Learning rate",
      "Gradient norm",
      "Tokens a second",
      "Memory, bytes resident",
    ])
      expect(titles).toContain(title);
  });

  it("is used with the keyboard alone: moves along a curve, zooms, reads the numbers", async () => {
    await page.focus(".plot");
    await page.keyboard.press("End");
    await page.waitForFunction(
      (last) => document.querySelector(".unseen")?.textContent?.includes(`step ${last}`),
      {},
      steps,
    );
    await page.keyboard.press("Home");
    await page.keyboard.press("+");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() =>
      /^step \d+, training [\d.]+/.test(document.querySelector(".unseen")?.textContent ?? ""),
    );
    await page.keyboard.press("0");
    await page.focus(".chart details summary");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll(".chart details[open] tbody tr").length >= 24);
    await check("training");
    await page.keyboard.press("Enter");
  });

  it("draws other axes and smoothing", async () => {
    const before = await page.$eval(".chart canvas", (canvas) => (canvas as HTMLCanvasElement).toDataURL());
    for (const text of ["log x", "log y"]) {
      const [box] = await page.$$(`xpath/.//label[contains(., "${text}")]/input`);
      await box.click();
    }
    await page.select(".controls select", "tokens");
    await page.waitForFunction(() =>
      /at tokens/.test(document.querySelector(".plot")?.getAttribute("aria-label") ?? ""),
    );
    const after = await page.$eval(".chart canvas", (canvas) => (canvas as HTMLCanvasElement).toDataURL());
    expect(after).not.toBe(before);
    await check("training");
    await page.select(".controls select", "step");
  });

  it("shows samples through time", async () => {
    await open("samples");
    await page.waitForSelector(".samples li");
    const steps = await page.$$eval(".samples .step", (all) => all.map((one) => one.textContent));
    expect(steps).toHaveLength(2 * 6);
    expect(steps[0]).toBe("step 240");
    const texts = await page.$$eval(".samples pre", (all) => all.map((one) => one.textContent));
    expect(new Set(texts).size).toBeGreaterThan(2);
    await check("samples");
  });

  it("shows the data report, the lineage and the plan, each accessible on its own too", async () => {
    for (const [view, title] of [
      ["data", /Data report of runs\/first/],
      ["lineage", /Lineage of runs\/first, step-0000240/],
      ["plan", /The plan/],
    ] as const) {
      await open(view);
      const frame = await page.waitForSelector("iframe.page");
      expect(await frame?.evaluate((one) => one.title)).toMatch(title);
      await check(view);
      const address = await frame!.evaluate((one) => (one as HTMLIFrameElement).src);
      // As it is served it runs no scripts, axe's included: its content is put into a page that does.
      const alone = await browser.newPage();
      await alone.setContent(await (await fetch(address)).text());
      expect(await alone.$eval("h1", (one) => one.textContent?.length)).toBeGreaterThan(5);
      expect(await accessibilityFaults(alone), view).toEqual([]);
      await alone.close();
      await page.bringToFront();
    }
    await page.select(".need select", "language");
    await page.waitForFunction(() => /Recommended|No way/.test(document.querySelector(".result")?.textContent ?? ""));
  });

  it("shows what tilth eval found of the run's checkpoint", async () => {
    const checkpoint = "runs/first/checkpoints/step-0000240";
    const { code, said } = await tilth(
      "eval",
      checkpoint,
      "--corpus",
      "runs/first/corpus",
      "--window",
      "64",
      "--stride",
      "64",
    );
    expect(code, said).toBe(0);
    await open("evaluation");
    await page.waitForFunction(() => /step-0000240/.test(document.querySelector("table")?.textContent ?? ""));
    const cells = await page.$$eval("table td", (all) => all.map((one) => one.textContent ?? ""));
    expect(cells.some((cell) => /^[\d.]+ \[[\d.]+, [\d.]+\]$/.test(cell))).toBe(true);
    await check("evaluation");
  });

  it("shows a ladder with its law", async () => {
    mkdirSync(join(folder, "runs", "ladder"));
    copyFileSync(join(process.cwd(), "docs", "scaling", "ladder.csv"), join(folder, "runs", "ladder", "ladder.csv"));
    await open("scaling");
    await page.waitForFunction(
      () => {
        const image = document.querySelector<HTMLImageElement>(".plot-image");
        return image?.complete === true && image.naturalWidth > 0;
      },
      { timeout: 30_000 },
    );
    await check("scaling");
  });

  it("opens a model and a log that are dropped on it", async () => {
    await open("open");
    await check("open");
    const chooser = await page.$("input[type=file]");
    await (chooser as ElementHandle<HTMLInputElement>).uploadFile(
      join(folder, "runs/first/checkpoints/step-0000240/model.safetensors"),
    );
    await page.waitForFunction(() =>
      /model.safetensors/.test(document.querySelector(".content h2")?.textContent ?? ""),
    );
    expect(await page.$eval(".content table", (one) => one.textContent)).toMatch(/parameters[\d.]+k?M?tensors\d+/);
    await check("open");
    const again = await page.waitForSelector("input[type=file]");
    await (again as ElementHandle<HTMLInputElement>).uploadFile(join(folder, "runs/first/log.jsonl"));
    await page.waitForFunction(() => /log.jsonl \(opened\)/.test(document.querySelector(".picker")?.textContent ?? ""));
    await page.waitForFunction(() => document.querySelectorAll(".picker input:checked").length === 2);
    await check("training");
  });

  it("takes a checkpoint's folder and a log by drag and drop, and says what it cannot open", async () => {
    const session = await page.createCDPSession();
    const drop = async (...files: string[]) => {
      const data = { items: [], files, dragOperationsMask: 1 };
      for (const type of ["dragEnter", "dragOver", "drop"] as const)
        await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
    };
    await open("open");
    await drop(join(folder, "runs/first/checkpoints/step-0000240"));
    await page.waitForFunction(() => /^step-0000240$/.test(document.querySelector(".content h2")?.textContent ?? ""));
    // A whole folder is told from its card, configuration and lineage too.
    expect(await page.$eval(".result", (one) => one.textContent)).toMatch(/^base, [\d.]+ % sure$/);
    await check("open");
    await drop(join(folder, "tilth.config.ts"));
    await page.waitForFunction(() =>
      /is neither a run's log/.test(document.querySelector("[role=alert]")?.textContent ?? ""),
    );
    faults.splice(0, faults.length, ...faults.filter((one) => !one.includes("422")));
    await drop(join(folder, "runs/first/log.jsonl"));
    await page.waitForFunction(() => document.querySelectorAll(".picker input").length === 3);
  });

  it("asked nothing of any other machine and met no error", () => {
    const { origin } = new URL(url);
    expect(requested.filter((one) => !one.startsWith(origin) && !one.startsWith("data:"))).toEqual([]);
    expect(faults).toEqual([]);
    expect(existsSync(join(folder, "runs"))).toBe(true);
  });
});
