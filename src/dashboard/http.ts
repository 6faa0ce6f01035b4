/** The dashboard's server: the page, what it asks for, and events while runs go on. */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { listenOn, messageOf, packageRoot, sendJson, TilthError, UsageError } from "../foundation/index.ts";
import { AccessRule } from "./access.ts";
import { OpenedFiles } from "./opened.ts";
import { Places, type ShownRun } from "./places.ts";
import type { Growth } from "./protocol.ts";
import { ladderPlot, ladderView, lineageOfCheckpoint, planForm, planView, reportPage, runDetails } from "./views.ts";

export interface DashboardSettings {
  /** Folders in which runs are looked for. */
  readonly folders: readonly string[];
  /** Others than the loopback address need the token that is in `url`. */
  readonly host: string;
  /** 0 chooses one. */
  readonly port: number;
  /** Milliseconds between two looks at the logs of runs. */
  readonly interval?: number;
}

/** A dashboard that answers. */
export interface RunningDashboard {
  /** With the token, where one is needed. */
  readonly url: string;
  close(): Promise<void>;
}

/** Pages that are watching at a time, at most. */
const mostListeners = 100;
/** Events that a page did not take yet: one that reads too slowly is dropped and asks again. */
const mostUnsentBytes = 1 << 20;

/** Nothing from elsewhere is loaded; pages in frames run no scripts. uPlot and the page set styles by script, which this permits. */
const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const framePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox";

/** Throws TilthError where the port cannot be had or the page was not built. */
export async function startDashboard(settings: DashboardSettings): Promise<RunningDashboard> {
  const dashboard = new Dashboard(settings);
  const server = createServer((request, response) => void dashboard.handle(request, response));
  server.headersTimeout = 15_000;
  const address = await listenOn(server, settings.host, settings.port);
  const { token } = dashboard.rule;
  return {
    url: `${address}/${token === undefined ? "" : `?token=${token}`}`,
    async close() {
      dashboard.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** What cannot be answered, and how that is said. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

class Dashboard {
  readonly rule: AccessRule;
  private readonly places: Places;
  private readonly opened = new OpenedFiles();
  private readonly listeners = new Set<ServerResponse>();
  private readonly files = pageFiles();
  private readonly timer: NodeJS.Timeout;
  private looks = 0;

  constructor({ host, folders, interval = 500 }: DashboardSettings) {
    this.rule = new AccessRule(host);
    this.places = new Places(folders);
    this.places.scan();
    this.timer = setInterval(() => void this.look(), interval);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = addressOf(request);
      const access = this.rule.judge(request, url.searchParams);
      if (access === "denied") throw new Refusal(403, "open the address that tilth ui printed, with its token");
      response.setHeader("x-content-type-options", "nosniff");
      response.setHeader("referrer-policy", "no-referrer");
      response.setHeader("cache-control", "no-store");
      if (access !== "granted") {
        response.writeHead(303, { "set-cookie": access.setCookie, location: url.pathname });
        response.end();
        return;
      }
      await this.route(url, request, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else sendJson(response, statusOf(error), { error: messageOf(error), remedy: remedyOf(error) });
    }
  }

  close(): void {
    clearInterval(this.timer);
    for (const listener of this.listeners) listener.end();
    this.opened.close();
  }

  private async route(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = url.pathname;
    const file = this.files.get(path);
    if (file !== undefined) {
      requireMethod(request, "GET");
      response.writeHead(200, { "content-type": file.type, "content-security-policy": contentPolicy });
      response.end(file.content);
      return;
    }
    const [api, kind, id, what, more] = path.slice(1).split("/");
    if (api !== "api") throw new Refusal(404, `there is nothing at ${path}`);
    if (kind === "open") return this.take(url.searchParams, request, response);
    requireMethod(request, "GET");
    if (kind === "events") return this.listen(response);
    if (kind === "overview") {
      this.places.scan();
      await Promise.all([...this.places.runs.values()].map(({ feed }) => feed.read()));
      return sendJson(response, 200, this.places.overview());
    }
    if (kind === "plan") return this.answerPlan(id, url.searchParams, response);
    if (kind === "ladders") {
      const ladder = this.places.ladders.get(id);
      if (ladder === undefined) throw new Refusal(404, "that ladder is not shown here");
      if (what === "plot.svg") return send(response, await ladderPlot(ladder.folder), "image/svg+xml", framePolicy);
      return sendJson(response, 200, ladderView(ladder.folder));
    }
    const run = kind === "runs" ? this.places.runs.get(id) : undefined;
    if (run === undefined) throw new Refusal(404, `there is nothing at ${path}`);
    await this.answerRun(run, what, more, url.searchParams, response);
  }

  private async answerPlan(what: string | undefined, query: URLSearchParams, response: ServerResponse): Promise<void> {
    if (what === undefined) return sendJson(response, 200, planForm());
    const { html, ...answer } = await planView(
      Object.fromEntries(
        [...query].map(([name, value]) => [name, Number.isNaN(Number(value)) ? value : Number(value)]),
      ),
    );
    if (what === "page") return send(response, html, "text/html; charset=utf-8", framePolicy);
    sendJson(response, 200, answer);
  }

  private async answerRun(
    run: ShownRun,
    what: string,
    more: string | undefined,
    query: URLSearchParams,
    response: ServerResponse,
  ): Promise<void> {
    switch (what) {
      case "columns": {
        await run.feed.read();
        const number = (name: string) => Math.max(0, Math.floor(Number(query.get(name) ?? 0)) || 0);
        const from = { step: number("step"), validation: number("validation"), checkpoint: number("checkpoint") };
        response.writeHead(200, { "content-type": "application/octet-stream" });
        response.end(run.feed.columnsFrom(number("generation"), from));
        return;
      }
      case "details":
        await run.feed.read();
        return sendJson(response, 200, runDetails(run));
      case "report":
        return send(response, reportPage(run), "text/html; charset=utf-8", framePolicy);
      case "lineage":
        if (!/^step-\d+$/.test(more ?? "")) throw new Refusal(404, "that checkpoint is not there");
        return send(response, await lineageOfCheckpoint(run, more!), "text/html; charset=utf-8", framePolicy);
      default:
        throw new Refusal(404, `a run has no "${what}"`);
    }
  }

  /** Looks at all logs and tells of those that grew; every tenth time at the folders too. Nothing where nobody listens. */
  private async look(): Promise<void> {
    if (this.listeners.size === 0) return;
    this.looks += 1;
    if (this.looks % 10 === 0) {
      if (this.places.scan()) this.tell("overview", {});
      else this.tell("beat", {});
    }
    for (const { id, feed } of [...this.places.runs.values()]) {
      if (await feed.read()) this.tell("growth", { run: id, ...feed.position } satisfies Growth);
    }
  }

  private listen(response: ServerResponse): void {
    if (this.listeners.size >= mostListeners) throw new Refusal(503, "too many pages are watching");
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    response.write("retry: 1000\nevent: overview\ndata: {}\n\n");
    this.listeners.add(response);
    response.on("close", () => this.listeners.delete(response));
  }

  private tell(event: string, data: object): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const listener of this.listeners) {
      if (listener.writableLength > mostUnsentBytes) listener.destroy();
      else listener.write(text);
    }
  }

  /** POST /api/open?group&name&bytes takes a file; with `done`, what was taken is opened. */
  private async take(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
    requireMethod(request, "POST");
    if (query.get("done") === null) {
      await this.opened.take(request, query);
      return sendJson(response, 200, {});
    }
    const opened = await this.opened.open(query.get("group") ?? "", query.get("name") ?? "", this.places);
    sendJson(response, 200, opened);
  }
}

/** The page's files, which the bundle step wrote. */
function pageFiles(): Map<string, { readonly type: string; readonly content: Buffer }> {
  const folder = join(packageRoot(), "dist", "dashboard");
  const file = (name: string, type: string) => {
    try {
      return { type, content: readFileSync(join(folder, name)) };
    } catch (cause) {
      throw new TilthError(`the dashboard's ${name} is missing in ${folder}`, { remedy: "Run: npm run setup", cause });
    }
  };
  return new Map([
    ["/", file("index.html", "text/html; charset=utf-8")],
    ["/app.js", file("app.js", "text/javascript; charset=utf-8")],
    ["/app.css", file("app-style.css", "text/css; charset=utf-8")],
  ]);
}

function addressOf(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? "/", "http://dashboard");
  } catch {
    throw new Refusal(404, "there is nothing at that address");
  }
}

function requireMethod(request: IncomingMessage, method: string): void {
  if (request.method !== method) throw new Refusal(405, `${request.method} is not answered here; expected ${method}`);
}

function statusOf(error: unknown): number {
  if (error instanceof Refusal) return error.status;
  return error instanceof UsageError ? 400 : error instanceof TilthError ? 422 : 500;
}

function remedyOf(error: unknown): string | undefined {
  return error instanceof TilthError ? error.remedy : undefined;
}

function send(response: ServerResponse, content: string, type: string, policy: string): void {
  response.writeHead(200, { "content-type": type, "content-security-policy": policy });
  response.end(content);
}
