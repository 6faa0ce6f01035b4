/** Who may see the dashboard: this machine without a word; others by a token; other websites never. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { bearerOf, isLoopback, isSecret } from "../foundation/index.ts";

const cookieName = "tilth-token";

/** What a request may do. */
export type Access = "granted" | "denied" | { readonly setCookie: string };

/** The rule for all requests of one dashboard. */
export class AccessRule {
  /** Undefined on the loopback address. */
  readonly token: string | undefined;

  constructor(host: string) {
    this.token = isLoopback(host) ? undefined : randomBytes(24).toString("base64url");
  }

  /** Judges a request; a right token in the address is put into a cookie. */
  judge(request: IncomingMessage, query: URLSearchParams): Access {
    if (!this.isAskedByName(request) || !isFromHere(request)) return "denied";
    if (this.token === undefined) return "granted";
    const given = query.get("token");
    if (given !== null && this.isToken(given)) {
      return { setCookie: `${cookieName}=${this.token}; HttpOnly; SameSite=Strict; Path=/` };
    }
    const inCookie = new RegExp(`(?:^|; )${cookieName}=([^;]+)`).exec(request.headers.cookie ?? "")?.[1];
    return [inCookie, bearerOf(request)].some((one) => one !== undefined && this.isToken(one)) ? "granted" : "denied";
  }

  /** A website may make a name of its own lead to this machine; who asks by such a name gets nothing. */
  private isAskedByName(request: IncomingMessage): boolean {
    const asked = /^(\[[^\]]+\]|[^:]*)(?::\d+)?$/.exec(request.headers.host ?? "")?.[1];
    return this.token !== undefined || (asked !== undefined && isLoopback(asked.replace(/^\[|\]$/g, "")));
  }

  private isToken(given: string): boolean {
    return isSecret(given, this.token!);
  }
}

/** Whether a request that a browser says was made by a page comes from this one. */
function isFromHere(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    // A link elsewhere may lead here; its page may not read or send anything.
    return request.method === "GET" && request.headers["sec-fetch-mode"] === "navigate";
  }
  if (origin === undefined) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}
