/** From a page to its main content as text: Mozilla's Readability on linkedom's document, within a time limit. */
import { Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";
import { codeOf, messageOf } from "../../foundation/index.ts";
import type { Rejection } from "../document.ts";
import { withinTime } from "./time-limit.ts";

/** A page takes milliseconds; one that takes so long would take for ever. */
const timeLimitMilliseconds = 20_000;
/** Readability's time grows faster than the number of elements; pages of text have a few thousand. */
const maximumElements = 100_000;
/** Its time grows with the square of the depth; browsers themselves stop at 512. */
const maximumDepth = 1000;
/** Where Readability finds less, the page is no article: its whole body is read. */
const articleCharacters = 250;

const blocks = new Set(
  "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr li main nav ol p pre search section summary table tbody tfoot thead tr ul".split(
    " ",
  ),
);
/** Blocks with an empty line before and after them. */
const paragraphs = new Set("p pre blockquote h1 h2 h3 h4 h5 h6 ul ol dl table figure section article".split(" "));
const silent = new Set(
  "script style noscript template svg math head iframe object canvas button select input".split(" "),
);
/** What is around the content of a page. */
const surroundings =
  "nav, footer, aside, form, [role=navigation], [role=banner], [role=contentinfo], [aria-hidden=true]";

/** The main content of a page as text, with its title first; or why there is none. */
export function extractHtml(bytes: Uint8Array): { text: string } | { rejection: Rejection } {
  const decoded = decodeHtml(bytes);
  if ("rejection" in decoded) return decoded;
  const depth = depthOf(decoded.text);
  if (depth > maximumDepth) return rejected("html.depth", depth, `at most ${maximumDepth} elements within each other`);
  try {
    const text = withinTime(() => mainContent(decoded.text), timeLimitMilliseconds);
    return text === "" ? rejected("html.content", 0, "a page with text") : { text };
  } catch (error) {
    if (codeOf(error) === "ERR_SCRIPT_EXECUTION_TIMEOUT") {
      return rejected("html.time", timeLimitMilliseconds, "a page that is read in so many milliseconds");
    }
    return rejected("html.damaged", messageOf(error).split("\n")[0].slice(0, 200), "a page that can be parsed");
  }
}

function mainContent(html: string): string {
  // linkedom leaves a fragment without a body, which Readability needs.
  const whole = /<body[\s>]/i.test(html) ? html : `<!DOCTYPE html><html><head></head><body>${html}</body></html>`;
  const { document } = parseHTML(whole);
  const title = document.title;
  const article = new Readability(document, {
    maxElemsToParse: maximumElements,
    charThreshold: articleCharacters,
    disableJSONLD: true,
    serializer: (node) => node,
  }).parse();
  const content = article?.content ? textOf(article.content) : "";
  if (content.length >= articleCharacters) return withTitle(article?.title ?? title, content);
  // Readability has taken the document apart: it is parsed anew.
  const { body } = parseHTML(whole).document;
  for (const element of body.querySelectorAll(surroundings)) element.remove();
  const all = textOf(body);
  return all === "" ? content : all;
}

const nestingTag =
  /<(\/?)(div|span|section|article|main|table|ul|ol|dl|blockquote|b|i|em|strong|font|center|a|svg|g)\b/gi;

/** How deep the elements of a page lie in each other, of those that do not close themselves. */
function depthOf(html: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [, closing] of html.matchAll(nestingTag)) {
    if (closing === "") deepest = Math.max(deepest, ++depth);
    else if (depth > 0) depth--;
  }
  return deepest;
}

function withTitle(title: string, content: string): string {
  const trimmed = title.trim();
  return trimmed === "" || content.startsWith(trimmed) ? content : `${trimmed}\n\n${content}`;
}

/** What is asked of linkedom's nodes. */
interface PageNode {
  readonly nodeType: number;
  readonly nodeName: string;
  readonly textContent: string | null;
  readonly firstChild: PageNode | null;
  readonly nextSibling: PageNode | null;
  readonly previousSibling: PageNode | null;
}

/** The text of a node: blocks on lines of their own, paragraphs apart, list items marked, `pre` as it is. */
function textOf(root: PageNode): string {
  const pieces: string[] = [];
  /** Line breaks that the next text has to be preceded by. */
  let breaks = 0;
  let spaced = true;
  const put = (text: string, preformatted: boolean) => {
    const shown = preformatted ? text : text.replace(/[ \t\r\n\f]+/g, " ");
    const trimmed = !preformatted && (breaks > 0 || spaced) ? shown.trimStart() : shown;
    if (trimmed === "") return;
    if (breaks > 0 && pieces.length > 0) pieces.push("\n".repeat(breaks));
    breaks = 0;
    pieces.push(trimmed);
    spaced = trimmed.endsWith(" ");
  };
  const visit = (node: PageNode, preformatted: boolean): void => {
    if (node.nodeType === 3) {
      put(node.textContent ?? "", preformatted);
      return;
    }
    const name = node.nodeName.toLowerCase();
    if (silent.has(name)) return;
    if (name === "br") {
      breaks = Math.min(2, breaks + 1);
      return;
    }
    const gap = paragraphs.has(name) ? 2 : blocks.has(name) ? 1 : 0;
    breaks = Math.max(breaks, gap);
    if (name === "li") {
      put("- ", true);
    } else if ((name === "td" || name === "th") && node.previousSibling !== null && breaks === 0) {
      put(" | ", true);
    }
    for (let child = node.firstChild; child !== null; child = child.nextSibling)
      visit(child, preformatted || name === "pre");
    breaks = Math.max(breaks, gap);
  };
  visit(root, false);
  return pieces.join("").trim();
}

/** As browsers decode: byte order mark, then the page's own declaration, else UTF-8, else windows-1252. */
function decodeHtml(bytes: Uint8Array): { text: string } | { rejection: Rejection } {
  const mark =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? "utf-16le"
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? "utf-16be"
        : undefined;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 2048)).toString("latin1");
  const declared = mark ?? /<meta[^>]+charset\s*=\s*["']?([\w.:-]+)/i.exec(head)?.[1]?.toLowerCase();
  for (const encoding of [declared, "utf-8", "windows-1252"]) {
    if (encoding === undefined) continue;
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
      return text.includes("\u0000") ? rejected("encoding.binary", "NUL", "a page") : { text };
    } catch {
      // The next one.
    }
  }
  return rejected("encoding.html", declared ?? "none", "an encoding that the page declares, or UTF-8");
}

function rejected(rule: string, value: string | number, expected: string): { rejection: Rejection } {
  return { rejection: { stage: "read", rule, value, expected } };
}
