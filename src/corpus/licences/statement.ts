/** Licences that documents and records state of themselves. */
import type { LicenceFinding } from "../document.ts";
import { licenceInWords } from "./free-text.ts";
import { normaliseExpression } from "./policy.ts";

const spdxHeader = /SPDX-License-Identifier:[ \t]*([^\s*#"'<>][^\n\r*"'<>]{0,120})/;
const ccAddress = /https?:\/\/creativecommons\.org\/(?:licenses\/[a-z-]+\/\d\.\d|publicdomain\/(?:zero|mark)\/\d\.\d)/i;
/** As the Python Enhancement Proposals end. */
const publicDomain =
  /(?:document|work|file|code|software)\s+(?:is|has\s+been)\s+(?:hereby\s+)?(?:placed|released|dedicated)\s+(?:in|into|to)\s+the\s+public\s+domain(\s+or\s+under\s+the\s+CC0-1\.0(?:-Universal)?\s+license)?/i;

/** The licence that a file states near its start or end, or undefined: an SPDX header, a dedication, a CC address. */
export function statedLicence(ends: string): LicenceFinding | undefined {
  const header = spdxHeader.exec(ends)?.[1];
  if (header !== undefined) {
    const expression = normaliseExpression(header.replace(/(-->|--|\*\/|#>|\))\s*$/, ""));
    if (expression !== "NOASSERTION") {
      return { expression, evidence: `SPDX-License-Identifier: ${header.trim()}`, confidence: 0.9 };
    }
  }
  const dedication = publicDomain.exec(ends);
  if (dedication !== null) {
    const expression = dedication[1] === undefined ? "LicenseRef-public-domain" : "CC0-1.0";
    return { expression, evidence: `says "${dedication[0].replace(/\s+/g, " ").slice(0, 120)}"`, confidence: 0.8 };
  }
  const address = ccAddress.exec(ends)?.[0];
  const named = address === undefined ? undefined : licenceInWords(address);
  // An address may be that of a picture in the page: it is looked at by someone before it counts.
  return named === undefined
    ? undefined
    : { expression: named.expression, evidence: `links to ${address}`, confidence: 0.4 };
}

/** The licence that a data set's field declares for a record. */
export function recordLicence(declared: string, where: string): LicenceFinding {
  const expression = normaliseExpression(declared);
  if (expression !== "NOASSERTION") {
    const named = licenceInWords(declared);
    const guessed = !declared.includes(expression) && named === undefined;
    return { expression, evidence: `${where} says "${declared.slice(0, 80)}"`, confidence: guessed ? 0.6 : 0.8 };
  }
  return { expression, evidence: `${where} says "${declared.slice(0, 80)}"`, confidence: 0 };
}
