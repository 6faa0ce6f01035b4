/** What every server of ours does the same way: listening, secrets, answers. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf, TilthError } from "./errors.ts";

const loopback = ["127.0.0.1", "::1", "localhost"];

/** Whether an address is this machine's own. */
export function isLoopback(host: string): boolean {
  return loopback.includes(host);
}

/** Starts to listen; returns the address, without a path. Throws TilthError where the port cannot be had. @param port 0 chooses one */
export async function listenOn(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new TilthError(`${host}:${port} cannot be served: ${messageOf(cause)}`, {
          remedy: "Choose another --port.",
          cause,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return `http://${host.includes(":") ? `[${host}]` : host}:${taken}`;
}

/** What follows `Authorization: Bearer`; undefined where there is nothing of that form. */
export function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
}

/** Whether a secret was given. It is compared whole, so that how long it takes tells nothing. */
export function isSecret(given: string, secret: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(body));
}
