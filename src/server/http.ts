/** The HTTP side: who may ask, how much, how long; routes; an orderly end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { bearerOf, isLoopback, isSecret, listenOn, messageOf, sendJson, UsageError } from "../foundation/index.ts";
import { embeddings } from "./embeddings.ts";
import { ApiError } from "./errors.ts";
import { chatCompletions, completions, type Reply } from "./generate.ts";
import { ServerMetrics } from "./metrics.ts";
import type { ModelClient } from "./model-client.ts";
import { chatRequest, completionRequest, embeddingRequest, parseRequest } from "./requests.ts";

export interface ServerSettings {
  /** The name under which clients ask for the model. */
  readonly name: string;
  readonly host: string;
  /** 0 chooses one. */
  readonly port: number;
  /** Who knows one of them may ask; everybody where there are none. */
  readonly apiKeys: readonly string[];
  readonly maximumBodyBytes: number;
  readonly maximumConnections: number;
  /** An answer that takes longer is ended. */
  readonly requestSeconds: number;
  /** How long headers and body may take to arrive. */
  readonly readSeconds: number;
  /** How long answers that are being written are waited for at the end. */
  readonly drainSeconds: number;
}

/** A server that answers. */
export interface RunningServer {
  readonly url: string;
  /** Takes no new requests, waits for those that run, then closes. Calling it again closes at once. */
  close(): Promise<void>;
}

/** Text that a client did not take yet: one that reads too slowly is dropped. */
const unsentBytes = 4_000_000;

/** Throws UsageError where others could ask without a key, TilthError where the port cannot be had. */
export async function startServer(client: ModelClient, settings: ServerSettings): Promise<RunningServer> {
  const { host, port, apiKeys } = settings;
  if (!isLoopback(host) && apiKeys.length === 0) {
    throw new UsageError(`on ${host} everybody who reaches this machine could ask: a key is needed`, {
      remedy: "Set TILTH_API_KEY or --api-key-file, or serve on 127.0.0.1.",
    });
  }
  const serving = new Serving(client, settings);
  const server = createServer(
    {
      headersTimeout: settings.readSeconds * 1000,
      requestTimeout: settings.readSeconds * 1000,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16_384,
    },
    (request, response) => void serving.handle(request, response),
  );
  server.maxConnections = settings.maximumConnections;
  const url = await listenOn(server, host, port);
  return {
    url,
    close: () => serving.close(server),
  };
}

class Serving {
  private readonly metrics = new ServerMetrics();
  private readonly created = Math.floor(Date.now() / 1000);
  private closing = false;

  constructor(
    private readonly client: ModelClient,
    private readonly settings: ServerSettings,
  ) {}

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const { pathname } = pathOf(request);
    response.on("close", () =>
      this.metrics.answered(knownPath(pathname), response.statusCode, (performance.now() - started) / 1000),
    );
    try {
      await this.route(pathname, request, response);
    } catch (error) {
      const known = error instanceof ApiError ? error : new ApiError(500, "the server failed; its log says how");
      if (known.status === 500) process.stderr.write(`tilth: ${request.method} ${pathname}: ${messageOf(error)}\n`);
      fail(response, known);
    }
  }

  async close(server: Server): Promise<void> {
    const again = this.closing;
    this.closing = true;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const deadline = Date.now() + (again ? 0 : this.settings.drainSeconds * 1000);
    while (this.client.open > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    server.closeAllConnections();
    await closed;
  }

  private async route(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (path === "/healthz") {
      requireMethod(request, "GET");
      sendJson(response, this.closing ? 503 : 200, { status: this.closing ? "ending" : "ok" });
      return;
    }
    this.authorise(request);
    if (path === "/metrics") {
      requireMethod(request, "GET");
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
      response.end(this.metrics.page(this.client));
    } else if (path === "/v1/models") {
      requireMethod(request, "GET");
      sendJson(response, 200, { object: "list", data: [this.model()] });
    } else if (path.startsWith("/v1/models/")) {
      requireMethod(request, "GET");
      this.requireModel(decodeURIComponent(path.slice("/v1/models/".length)));
      sendJson(response, 200, this.model());
    } else if (Object.hasOwn(work, path)) {
      requireMethod(request, "POST");
      if (this.closing) throw new ApiError(503, "the server is ending", { retryAfter: 5 });
      const body = await readJson(request, this.settings.maximumBodyBytes);
      const { model } = body as { model?: unknown };
      if (typeof model === "string") this.requireModel(model);
      await this.answered(response, (reply) => work[path as keyof typeof work](body, this.client, reply));
    } else {
      throw new ApiError(404, `there is nothing at ${path}`, { code: "not_found" });
    }
  }

  private async answered(response: ServerResponse, run: (reply: Reply) => Promise<void>): Promise<void> {
    const gone = new AbortController();
    const late = new AbortController();
    response.on("close", () => gone.abort());
    const timer = setTimeout(() => late.abort(), this.settings.requestSeconds * 1000);
    try {
      await run(new HttpReply(response, AbortSignal.any([gone.signal, late.signal]), gone));
      if (late.signal.aborted && !response.writableEnded) {
        throw new ApiError(504, `no answer within ${this.settings.requestSeconds} seconds`, { code: "timeout" });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Every key is compared whole, so that how long it takes tells nothing. */
  private authorise(request: IncomingMessage): void {
    if (this.settings.apiKeys.length === 0) return;
    const given = bearerOf(request) ?? "";
    const known = this.settings.apiKeys.filter((key) => isSecret(given, key)).length > 0;
    if (!known) {
      throw new ApiError(401, "the API key is missing or wrong", {
        ...{ type: "authentication_error", code: "invalid_api_key" },
      });
    }
  }

  private requireModel(name: string): void {
    if (name === this.settings.name) return;
    throw new ApiError(404, `there is no model "${name}"; this server has "${this.settings.name}"`, {
      ...{ param: "model", code: "model_not_found" },
    });
  }

  private model() {
    return { id: this.settings.name, object: "model", created: this.created, owned_by: "tilth" };
  }
}

const work = {
  "/v1/completions": (body: unknown, client: ModelClient, reply: Reply) =>
    completions(parseRequest(completionRequest, body), client, reply),
  "/v1/chat/completions": (body: unknown, client: ModelClient, reply: Reply) =>
    chatCompletions(parseRequest(chatRequest, body), client, reply),
  "/v1/embeddings": (body: unknown, client: ModelClient, reply: Reply) =>
    embeddings(parseRequest(embeddingRequest, body), client, reply),
} as const;

/** A path by which figures are counted: a client's inventions all count as one. */
function knownPath(path: string): string {
  if (path.startsWith("/v1/models")) return "/v1/models";
  return Object.hasOwn(work, path) || path === "/healthz" || path === "/metrics" ? path : "other";
}

class HttpReply implements Reply {
  constructor(
    private readonly response: ServerResponse,
    readonly signal: AbortSignal,
    private readonly gone: AbortController,
  ) {}

  event(data: unknown): void {
    if (this.signal.aborted) return;
    if (!this.response.headersSent) {
      this.response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    }
    this.response.write(`data: ${JSON.stringify(data)}\n\n`);
    if (this.response.writableLength <= unsentBytes) return;
    this.gone.abort();
    this.response.destroy();
  }

  endStream(): void {
    if (!this.signal.aborted) this.response.end("data: [DONE]\n\n");
  }

  json(body: unknown): void {
    if (!this.signal.aborted) sendJson(this.response, 200, body);
  }
}

function pathOf(request: IncomingMessage): { readonly pathname: string } {
  try {
    return new URL(request.url ?? "/", "http://server");
  } catch {
    return { pathname: "/invalid" };
  }
}

function requireMethod(request: IncomingMessage, method: string): void {
  if (request.method === method) return;
  throw new ApiError(405, `${request.method} is not answered here; expected ${method}`, { code: "method_not_allowed" });
}

/** The body as JSON, an object. Throws ApiError: 413 for a long one, 400 for one that is none. */
async function readJson(request: IncomingMessage, maximumBytes: number): Promise<object> {
  const tooLong = new ApiError(413, `a body has at most ${maximumBytes} bytes`, { code: "body_too_large" });
  if (Number(request.headers["content-length"] ?? 0) > maximumBytes) throw tooLong;
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request) {
      bytes += (part as Buffer).length;
      if (bytes > maximumBytes) break;
      parts.push(part as Buffer);
    }
  } catch {
    throw new ApiError(400, "the body broke off", { code: "incomplete_body" });
  }
  if (bytes > maximumBytes) throw tooLong;
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw new ApiError(400, "the body is no JSON", { code: "invalid_json" });
  }
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body;
  throw new ApiError(400, "the body is no JSON object", { code: "invalid_json" });
}

function fail(response: ServerResponse, error: ApiError): void {
  if (response.destroyed || response.writableEnded) return;
  if (response.headersSent) {
    // A stream that has begun ends with the error as its last event.
    response.end(`data: ${error.body()}\n\n`);
    return;
  }
  const { retryAfter } = error.details;
  response.writeHead(error.status, {
    "content-type": "application/json; charset=utf-8",
    ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
    ...(error.status === 401 ? { "www-authenticate": "Bearer" } : {}),
    // What the client still sends of a body that is too long is not read.
    ...(error.status === 413 ? { connection: "close" } : {}),
  });
  response.end(error.body());
}
