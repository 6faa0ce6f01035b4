/** Publishers who said no: a list of domains, robots.txt and ai.txt for AI crawlers, TDM reservations. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import * as robotsModule from "robots-parser";
import { z } from "zod";
import { settingsObject, TilthError } from "../../foundation/index.ts";

/** What is asked of robots-parser, whose own declarations describe another kind of module than it is. */
type ParseRobots = (url: string, text: string) => { isDisallowed(url: string, agent: string): boolean | undefined };
const parseRobots = robotsModule.default as unknown as ParseRobots;

/** Crawlers that gather training data, and names by which their makers let sites decline it. */
const trainingAgents = [
  ...["GPTBot", "CCBot", "Google-Extended", "ClaudeBot", "anthropic-ai", "Applebot-Extended", "Bytespider"],
  ...["meta-externalagent", "Amazonbot", "cohere-training-data-crawler", "AI2Bot", "Diffbot", "omgili"],
];

export const optOutSettings = settingsObject("optOut", {
  domains: z.array(z.string().min(1)).default([]).describe("domains whose documents are denied, with all below them"),
  domainFile: z.string().min(1).optional().describe("a file of such domains, one a line; # begins a comment"),
  robotsFolder: z
    .string()
    .min(1)
    .optional()
    .describe("a folder of robots.txt files, called <host>.txt or <host>/robots.txt"),
  agents: z
    .array(z.string().min(1))
    .default(trainingAgents)
    .describe("a page that robots.txt or ai.txt closes to any of these is denied; [] ignores such files"),
  reservations: z
    .boolean()
    .default(true)
    .describe("deny pages with a TDM reservation (tdm-reservation: 1, tdmrep.json), noai or train-ai=n"),
});

export type OptOutSettings = z.infer<typeof optOutSettings>;

/** A file in which a host speaks to machines: `example.com/robots.txt`. */
export function robotsAddress(url: string): string | undefined {
  const parsed = parseUrl(url);
  if (parsed === undefined) return undefined;
  const file = /^\/(robots\.txt|ai\.txt|\.well-known\/tdmrep\.json)$/.exec(parsed.pathname.toLowerCase())?.[1];
  return file === undefined ? undefined : `${hostOf(parsed)}/${file}`;
}

/** What the headers of a response reserve, e.g. `tdm-reservation: 1`; undefined where they say nothing. */
export function reservationIn(header: (name: string) => string | undefined): string | undefined {
  if (header("tdm-reservation")?.trim() === "1") return "tdm-reservation: 1";
  const tag = /\bno(image)?ai\b/i.exec(header("x-robots-tag") ?? "")?.[0];
  if (tag !== undefined) return `x-robots-tag: ${tag.toLowerCase()}`;
  const usage = /\b(train-ai|train-genai)\s*=\s*n\b/i.exec(header("content-usage") ?? "")?.[0];
  return usage === undefined ? undefined : `content-usage: ${usage.toLowerCase()}`;
}

/** What the head of a page reserves in its `meta` elements. */
export function reservationInPage(head: string): string | undefined {
  for (const [element] of head.matchAll(/<meta\b[^>]{0,500}>/gi)) {
    const name = /\bname\s*=\s*["']?([\w-]+)/i.exec(element)?.[1]?.toLowerCase();
    const content = /\bcontent\s*=\s*["']?([^"'>]*)/i.exec(element)?.[1]?.toLowerCase() ?? "";
    if (name === "tdm-reservation" && content.trim() === "1") return "meta tdm-reservation: 1";
    if (name === "robots" && /\bno(image)?ai\b/.test(content)) return `meta robots: ${content.trim().slice(0, 60)}`;
  }
  return undefined;
}

/** Whether documents were opted out of training by their publishers. */
export interface OptOuts {
  /** Why the document at `url` is denied, or undefined. */
  reasonFor(document: { readonly url?: string; readonly reservation?: string }): string | undefined;
  /** Everything that the answers depend on beside the documents, for a hash. */
  readonly fingerprint: readonly string[];
}

/** Reads the lists that the settings name. `found` holds files of hosts that came with the documents. */
export function openOptOuts(settings: OptOutSettings, found: ReadonlyMap<string, string>, baseFolder: string): OptOuts {
  const domains = new Map(settings.domains.map((domain) => [domain.toLowerCase(), "the list of domains"]));
  if (settings.domainFile !== undefined) {
    for (const domain of domainsIn(resolve(baseFolder, settings.domainFile))) domains.set(domain, settings.domainFile);
  }
  const files = new Map(found);
  if (settings.robotsFolder !== undefined) {
    for (const [address, text] of robotsIn(resolve(baseFolder, settings.robotsFolder))) files.set(address, text);
  }
  const parsed = new Map<string, ReturnType<ParseRobots>>();
  const closedBy = (url: URL, file: string): string | undefined => {
    const address = `${hostOf(url)}/${file}`;
    const text = files.get(address);
    if (text === undefined) return undefined;
    const origin = `${url.protocol}//${url.host}/robots.txt`;
    const robots = parsed.get(origin + file) ?? parseRobots(origin, text);
    parsed.set(origin + file, robots);
    const agent = settings.agents.find((one) => robots.isDisallowed(url.href, one) === true);
    return agent === undefined ? undefined : `${address} closes it to ${agent}`;
  };
  return {
    fingerprint: [...domains.keys(), ...[...files].flat()].sort(),
    reasonFor: ({ url: address, reservation }) => {
      if (reservation !== undefined && settings.reservations) return reservation;
      const url = address === undefined ? undefined : parseUrl(address);
      if (url === undefined) return undefined;
      for (let domain = hostOf(url); domain !== ""; domain = domain.split(".").slice(1).join(".")) {
        const list = domains.get(domain);
        if (list !== undefined) return `${domain} is in ${list}`;
      }
      const closed = closedBy(url, "robots.txt") ?? closedBy(url, "ai.txt");
      if (closed !== undefined || !settings.reservations) return closed;
      const reserved = files.get(`${hostOf(url)}/.well-known/tdmrep.json`);
      return reserved !== undefined && reservesPath(reserved, url.pathname)
        ? `${hostOf(url)}/.well-known/tdmrep.json reserves ${url.pathname}`
        : undefined;
    },
  };
}

const tdmRules = z.array(z.object({ location: z.string(), "tdm-reservation": z.union([z.number(), z.string()]) }));

/** The first rule whose location fits decides (TDM Reservation Protocol, section 6); `*` matches any characters. */
function reservesPath(text: string, path: string): boolean {
  try {
    const rule = tdmRules.parse(JSON.parse(text)).find(({ location }) => {
      const pieces = location.split("*").map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
      return new RegExp(`^${pieces.join(".*")}`).test(path);
    });
    return String(rule?.["tdm-reservation"]) === "1";
  } catch {
    return false;
  }
}

function domainsIn(file: string): string[] {
  if (!existsSync(file)) {
    throw new TilthError(`the list of opted-out domains ${file} does not exist`, {
      remedy: "Name a file with one domain a line, or leave licences.optOut.domainFile out.",
    });
  }
  return readFileSync(file, "utf8")
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, "").trim().toLowerCase())
    .filter((line) => line !== "");
}

function* robotsIn(folder: string): Generator<[address: string, text: string]> {
  if (!existsSync(folder)) {
    throw new TilthError(`the folder of robots.txt files ${folder} does not exist`, {
      remedy: "Name a folder with <host>.txt files, or leave licences.optOut.robotsFolder out.",
    });
  }
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (!statSync(path).isDirectory()) {
      if (name.endsWith(".txt")) yield [`${name.slice(0, -4).toLowerCase()}/robots.txt`, readFileSync(path, "utf8")];
      continue;
    }
    for (const file of ["robots.txt", "ai.txt"]) {
      if (existsSync(join(path, file))) yield [`${name.toLowerCase()}/${file}`, readFileSync(join(path, file), "utf8")];
    }
  }
}

function parseUrl(address: string): URL | undefined {
  try {
    const url = new URL(address);
    return url.protocol === "http:" || url.protocol === "https:" ? url : undefined;
  } catch {
    return undefined;
  }
}

/** Without `www.`, which names the same site. */
function hostOf(url: URL): string {
  return url.hostname
    .toLowerCase()
    .replace(/^www\./, "")
    .replace(/\.$/, "");
}
