/** Chromium, as Debian has it, for tests of pages. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import puppeteer, { type Browser, type Page } from "puppeteer-core";

const programs = [
  process.env.CHROMIUM ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

/** The program, or undefined where none is installed. */
export const chromium = programs.find((path) => path !== "" && existsSync(path));

/** A browser without a window. */
export function openBrowser(): Promise<Browser> {
  return puppeteer.launch({
    executablePath: chromium,
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
    defaultViewport: { width: 1280, height: 900 },
  });
}

/** As much of axe-core as is used. */
interface Axe {
  run(
    node: Document,
    options: object,
  ): Promise<{ violations: { id: string; help: string; nodes: { html: string; failureSummary: string }[] }[] }>;
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds wrong with a page, a line each; empty where nothing is. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: Axe };
    const { violations } = await axe.run(document, { iframes: false });
    return violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((one) => `${one.html} ${one.failureSummary}`).join("; ")}`,
    );
  });
}
