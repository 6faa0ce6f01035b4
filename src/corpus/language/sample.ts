/** The words of a document by which its language can be told: a bounded sample without code, links and markup. */
import type { DocumentKind } from "../document.ts";

/** A long document is read at so many places, spread evenly over it. */
const windows = 8;
/** Characters read at each place, before cleaning; the identifier itself uses about 350 bytes of a text. */
const windowCharacters = 2400;
/** Cleaned characters handed to the identifier from each place. */
const sampleCharacters = 600;

const fencedBlock = /^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\1[`~]*[ \t]*$|(?![\s\S]))/gm;
const inlineCode = /`[^`\n]{1,200}`/g;
const htmlTag = /<\/?[a-zA-Z!][^<>\n]{0,400}>/g;
const linkTarget = /\]\([^()\n]{0,400}\)/g;
const url = /\b(?:https?:\/\/|www\.)\S+/g;
const email = /\b[\w.+-]+@[\w-]+\.[\w.-]+/g;
/** What only identifiers, paths and versions look like: joined by `_ . / \ : @` or digits, or in camel case. */
const identifier = /[^\s]*(?:[_./\\:@#=$<>{}()[\]|]\w|\w[a-z][A-Z]|\d)[^\s]*/g;
const comment = /\/\*[\s\S]*?\*\/|(?:^|\s)(?:\/\/|#|--)[^\n]*/g;

/**
 * Up to eight samples of running text. Of code only the comments are taken, so that the language is that in which
 * people wrote to each other and not the resemblance of keywords to English.
 */
export function sampleText(text: string, kind: DocumentKind): string[] {
  const samples: string[] = [];
  for (const window of windowsOf(text)) {
    const sample = clean(window, kind);
    if (sample !== "") samples.push(sample.slice(0, sampleCharacters));
  }
  return samples;
}

function windowsOf(text: string): string[] {
  if (text.length <= windowCharacters) return [text];
  const count = Math.min(windows, Math.ceil(text.length / windowCharacters));
  return Array.from({ length: count }, (_, index) => {
    const start = Math.floor(((text.length - windowCharacters) * index) / (count - 1));
    return text.slice(start, start + windowCharacters);
  });
}

function clean(window: string, kind: DocumentKind): string {
  const words = kind === "code" || kind === "declarations" ? (window.match(comment) ?? []).join("\n") : window;
  return words
    .replace(fencedBlock, " ")
    .replace(inlineCode, " ")
    .replace(url, " ")
    .replace(linkTarget, "] ")
    .replace(htmlTag, " ")
    .replace(email, " ")
    .replace(identifier, " ")
    .replace(/[^\p{L}\p{M}'’\s]+/gu, " ")
    .replace(/\s+/g, " ")
    .trim();
}
