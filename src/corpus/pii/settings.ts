/** What is done about personal data, by its kind. */
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import type { DocumentKind } from "../document.ts";

export const piiKinds = ["email", "ipv4", "ipv6", "phone", "secret"] as const;

/** A kind of personal data. */
export type PiiKind = (typeof piiKinds)[number];

const action = z.enum(["replace", "keep"]).describe("replace, or keep as it is");

export const piiSettings = settingsObject("pii", {
  email: action.default("replace").describe("e-mail addresses"),
  ipv4: action.default("replace").describe("public IPv4 addresses; private and documentation ranges stay"),
  ipv6: action.default("replace").describe("public IPv6 addresses"),
  phone: action
    .default("replace")
    .describe("telephone numbers, in running text alone: code and data are full of digits"),
  secret: action.default("replace").describe("keys, tokens, passwords and private-key blocks"),
});

export type PiiSettings = z.infer<typeof piiSettings>;

/** Whether telephone numbers are looked for. */
export function hasPhones(kind: DocumentKind): boolean {
  return kind === "web" || kind === "prose" || kind === "caption";
}
