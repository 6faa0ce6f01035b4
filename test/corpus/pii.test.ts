import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DocumentKind } from "../../src/corpus/document.ts";
import { piiSettings, replacePii } from "../../src/corpus/pii/index.ts";

const settings = piiSettings.parse({});
const found = (text: string, kind: DocumentKind = "prose") =>
  replacePii(text, kind, settings).spans.map((span) => span.kind);

/** Tokens are put together here, so that no scanner takes this file for a leak. */
const fake = (prefix: string, length: number, alphabet = "aB3dE5gH7jK9mN2pQ4rS6tU8vW1xY0z") =>
  prefix + Array.from({ length }, (_, n) => alphabet[(n * 7 + 3) % alphabet.length]).join("");

describe("replacePii", () => {
  it.each([
    ["Write to Jane.Doe+lists@mail.research.org, please.", ["email"]],
    ["<a href='mailto:bob@firm.co.uk'>", ["email"]],
    ["server 93.184.216.34 answers", ["ipv4"]],
    ["ping 2606:2800:220:1:248:1893:25c8:1946 now", ["ipv6"]],
    ["Call +49 30 901820 or (212) 736-5000.", ["phone", "phone"]],
    ["call 1-800-736-5000", ["phone"]],
    [`key ${fake("AKIA", 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")} leaked`, ["secret"]],
    [`GITHUB=${fake("ghp_", 36)}`, ["secret"]],
    [`token: ${fake("npm_", 36)}`, ["secret"]],
    ["postgres://app:Kw8vQ2x9Lm@db.internal/x", ["secret"]],
    [`api_key = "${fake("", 32)}"`, ["secret"]],
    [`-----BEGIN RSA PRIVATE KEY-----\n${fake("", 200)}\n-----END RSA PRIVATE KEY-----`, ["secret"]],
  ])("finds %s", (text, kinds) => {
    expect(found(text)).toEqual(kinds);
    const { text: replaced, spans } = replacePii(text, "prose", settings);
    expect(found(replaced)).toEqual([]);
    for (const { start, end } of spans)
      expect(replaced.slice(start, end)).toMatch(/example|192.0.2|2001:db8|555-0100|REDACTED/);
  });

  it.each([
    "zod@4.6.7 and logo@2x.png, @scope/name, a@b, user@localhost",
    "git@github.com:owner/name.git and me@example.com",
    "10.0.0.1 192.168.1.1 127.0.0.1 203.0.113.9 are not public",
    "version 1.2.3.4, v4.5.6.7, 1.3.6.1.4.1.311, ^8.8.4.4, 300.1.1.1",
    "RFC 7540 8.1.2.4, section 6.1.7.1, (OID 1.3.101.110), since 2006::",
    "std::vector fe80::1 ::1 2001:db8::5 12:34:56 2026:01",
    "2026-11-24 123-456-7890 202-555-0142 +1 202-555-0100 3.14159265",
    'password = "change-me-please-1234" token = "your-token-goes-here1"',
    'key: "some-words-joined-by-dashes", secret = process.env.SECRET_NUMBER_ONE',
    "https://user@host/path and redis://user:your-secret@host",
    "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----",
  ])("leaves %s", (text) => {
    expect(found(text)).toEqual([]);
  });

  it("looks for telephone numbers in running text alone, and does what the settings say", () => {
    expect(found("n = (212) 736-5000", "code")).toEqual([]);
    const keep = piiSettings.parse({ email: "keep" });
    expect(replacePii("a.b@firm.org", "prose", keep)).toEqual({ text: "a.b@firm.org", spans: [] });
  });

  it("stores where the replacement is and how long the original was, and nothing of it", () => {
    const { text, spans } = replacePii("x jane@firm.org y 93.184.216.34", "prose", settings);
    expect(text).toBe("x email@example.com y 192.0.2.1");
    expect(spans).toEqual([
      { kind: "email", start: 2, end: 19, originalLength: 13 },
      { kind: "ipv4", start: 22, end: 31, originalLength: 13 },
    ]);
  });

  it("is idempotent for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const once = replacePii(text, "prose", settings).text;
        expect(replacePii(once, "prose", settings).text).toBe(once);
      }),
    );
  });
});
