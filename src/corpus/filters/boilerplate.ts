import { atMost, defineFilter, share } from "./define.ts";

/** Lines of pages that are about the page: consent, sign-in, sharing, navigation, rights. Short lines alone count. */
const phrases =
  /\b(?:accept (?:all )?cookies|cookie (?:policy|settings|preferences)|uses? (?:of )?cookies|privacy policy|terms (?:of (?:use|service)|and conditions)|all rights reserved|skip to (?:main )?content|back to top|sign (?:in|up)|log ?in|log ?out|create (?:an )?account|subscribe|newsletter|share (?:on|this)|follow us|tweet this|read more|load more|view more|click here|enable javascript|leave a (?:comment|reply)|add to cart|related (?:posts|articles)|previous (?:post|article)|next (?:post|article)|powered by|copyright ©|©)/i;
const longestLine = 120;
const licenceHead = /^(?:#!.*\n)?\s*(?:\/\*[\s\S]{0,6000}?\*\/|(?:(?:\/\/|#|--|;|%).*\n){1,60})/;
const rights = /copyright|licen[cs]e|spdx-license-identifier|all rights reserved/i;

/** Text that many documents share and that says nothing of their subject. */
export const boilerplate = defineFilter({
  name: "boilerplate",
  kinds: ["web"],
  source:
    "Tilth, after the phrases that C4 and RefinedWeb (Penedo et al. 2023) remove line by line; thresholds are Tilth's",
  measures: {
    boilerplateLines: "share of lines that speak of cookies, sign-in, sharing, navigation or rights",
    licenceHead: "share of characters in a licence notice at the beginning of a source file",
  },
  thresholds: { boilerplateLines: atMost(0.3) },
  measure: ({ text, kind, whole: { lines } }) => {
    if (kind === "code" || kind === "declarations") {
      const head = licenceHead.exec(text.slice(0, 8000))?.[0] ?? "";
      return { boilerplateLines: 0, licenceHead: rights.test(head) ? share(head.length, text.length) : 0 };
    }
    let found = 0;
    for (let line = 0; line < lines.count; line++) {
      if (lines.ends[line] - lines.starts[line] > longestLine) continue;
      if (phrases.test(text.slice(lines.starts[line], lines.ends[line]))) found++;
    }
    return { boilerplateLines: share(found, lines.count), licenceHead: 0 };
  },
});
