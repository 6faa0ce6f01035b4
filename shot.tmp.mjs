import puppeteer from "puppeteer-core";
import { readFileSync } from "node:fs";
const axe = readFileSync("/work/main/node_modules/axe-core/axe.min.js", "utf8");
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], defaultViewport: { width: 1400, height: 1000 } });
const page = await browser.newPage();
page.on("console", (m) => console.log("console", m.type(), m.text()));
page.on("pageerror", (e) => console.log("error", e.message));
page.on("requestfailed", (r) => console.log("failed", r.url()));
await page.goto(process.argv[2] + "/", { waitUntil: "load" });
const scheme = process.argv[3] ?? "light";
await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
for (const name of ["training", "samples", "data", "evaluation", "scaling", "lineage", "plan", "open"]) {
  await page.evaluate((n) => { location.hash = "#/" + n; }, name);
  await new Promise((r) => setTimeout(r, 1500));
  await page.screenshot({ path: `/tmp/shot-${name}-${scheme}.png` });
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { iframes: false }));
  for (const v of found.violations) console.log(name, v.id, v.impact, v.nodes.length, v.nodes[0].html.slice(0, 150), v.nodes[0].failureSummary.slice(0, 200));
}
await browser.close();
