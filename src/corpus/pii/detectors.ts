/** Personal data by pattern: what each detector finds, and what it puts in its place. */
import { BlockList, isIPv4, isIPv6 } from "node:net";
import type { PiiKind } from "./settings.ts";

/** A way to find one kind of personal data. */
export interface Detector {
  readonly kind: PiiKind;
  /** A string that every match holds, or a quick test: without it the text is not searched. */
  readonly possible: (text: string) => boolean;
  /** Group 1, where there is one, is the part that is replaced. */
  readonly pattern: RegExp;
  /** Whether a match is what it looks like. */
  readonly accept?: (value: string, text: string, start: number) => boolean;
}

/** What stands in the text instead: addresses and numbers that are reserved for examples. */
export const replacements: Readonly<Record<PiiKind, string>> = {
  email: "email@example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  phone: "+1 202-555-0100",
  secret: "REDACTED",
};

/** RFC 2606, and the addresses that code hosts give out instead of real ones. */
const exampleHost = /(?:^|\.)(?:example(?:\.(?:com|org|net))?|test|invalid|localhost|local|noreply\.github\.com)$/i;
/** `logo@2x.png` and `zod@4.6.7` are no addresses. */
const fileEnding =
  /\.(?:png|jpe?g|gif|svg|webp|js|mjs|cjs|ts|tsx|jsx|json|css|html?|md|txt|py|rs|go|java|so|dll|exe)$/i;

const email: Detector = {
  kind: "email",
  possible: (text) => text.includes("@"),
  pattern:
    /(?<![\w.+-])[a-zA-Z0-9][\w.!#$%&'*+/=?^`{|}~-]{0,63}@(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.){1,8}[a-zA-Z]{2,24}(?![\w@-]|\.[a-zA-Z0-9])/g,
  accept: (value, text, start) => {
    const at = value.lastIndexOf("@");
    const host = value.slice(at + 1);
    if (exampleHost.test(host) || fileEnding.test(host)) return false;
    // What stands before the host of an address is a user name there.
    if (/:\/\/[^\s"'<>]{0,80}$/.test(text.slice(Math.max(0, start - 100), start))) return false;
    // git@github.com:owner/repository names a place, not a person.
    return !/^(?:git|hg|svn|ssh)$/i.test(value.slice(0, at)) && text[start + value.length] !== ":";
  },
};

/** IANA's special-purpose registry: private, loopback, link-local, shared, documentation, benchmarking, multicast, reserved. */
const notPublic = new BlockList();
for (const [network, prefix] of [
  ...([
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
  ] as const),
  ...([
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
  ] as const),
  ...([
    ["198.51.100.0", 24],
    ["203.0.113.0", 24],
    ["240.0.0.0", 4],
  ] as const),
] as const) {
  notPublic.addSubnet(network, prefix, "ipv4");
}
notPublic.addSubnet("2001:db8::", 32, "ipv6");

const ipv4: Detector = {
  kind: "ipv4",
  possible: (text) => /\d\.\d{1,3}\.\d{1,3}\.\d/.test(text),
  // Longer dotted numbers are object identifiers, and a "v" before them makes them versions.
  pattern: /(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)/g,
  accept: (value, text, start) => {
    if (!isIPv4(value) || notPublic.check(value, "ipv4")) return false;
    return !/(?:version|release|section|clause|chapter|appendix|§|oid|rfc ?\d+,?|v|@|\^|~|[<>=]=?)\s*["'`(]?$/i.test(
      text.slice(Math.max(0, start - 24), start),
    );
  },
};

const ipv6: Detector = {
  kind: "ipv6",
  possible: (text) => /[23][0-9a-fA-F]{3}:/.test(text),
  // Global unicast begins with 2 or 3; all other ranges are not public.
  pattern: /(?<![\w:.])[23][0-9a-fA-F]{3}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])/g,
  // "year 2026::" ends a paragraph of reStructuredText.
  accept: (value) => isIPv6(value) && /(?:[0-9a-fA-F]+:+){2}[0-9a-fA-F]/.test(value) && !notPublic.check(value, "ipv6"),
};

const phone: Detector = {
  kind: "phone",
  possible: (text) => /\d{3}[-. )]{1,2}\d{3}|\+\d/.test(text),
  // International with a plus sign, or North American with separators: bare digits are too often something else.
  pattern:
    /(?<![\w+.-])(?:\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,5}\)?){2,6}|(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}([ .-]))[2-9]\d{2}[.-]\d{4})(?![\w-]|\.\d)/g,
  accept: (value) => {
    const digits = value.replace(/\D/g, "");
    if (value.startsWith("+"))
      return digits.length >= 9 && digits.length <= 15 && /[ .()-]/.test(value) && !is555(digits);
    return (digits.length === 10 || digits.length === 11) && !is555(digits);
  },
};

/** 555-0100 to 555-0199 are kept for fiction. */
function is555(digits: string): boolean {
  return /55501\d\d$/.test(digits);
}

export const detectors: readonly Detector[] = [email, ipv4, ipv6, phone];
