import puppeteer from "puppeteer-core";
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"], defaultViewport: { width: 1400, height: 1000 } });
const page = await browser.newPage();
page.on("pageerror", (e) => console.log("error", e.message));
let t=Date.now();
await page.goto(process.argv[2] + "/", { waitUntil: "load" });
await page.waitForSelector(".chart canvas");
console.log("first chart", Date.now()-t);
await new Promise(r=>setTimeout(r,1000));
await page.evaluate(() => { window.longs=[]; new PerformanceObserver(l=>{for(const e of l.getEntries()) window.longs.push(Math.round(e.duration))}).observe({entryTypes:["longtask"]}); });
await page.focus(".chart .plot");
for (const key of ["+","+","+","ArrowRight","-","0"]) { t=Date.now(); await page.keyboard.press(key); await page.evaluate(()=>new Promise(r=>requestAnimationFrame(()=>requestAnimationFrame(r)))); console.log(key, Date.now()-t); }
t=Date.now(); await page.evaluate(() => { const s=document.querySelector("#smoothing"); s.value="0.99"; s.dispatchEvent(new Event("input")); }); await page.evaluate(()=>new Promise(r=>requestAnimationFrame(()=>requestAnimationFrame(r)))); console.log("smooth", Date.now()-t);
console.log("long tasks", await page.evaluate(()=>window.longs));
await page.screenshot({path:"/tmp/million.png"});
await browser.close();
