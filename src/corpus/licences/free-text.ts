/** Licences that are named but not by SPDX: addresses, everyday names, statements, `LicenseRef-*`. */
import type { LicenceDecision } from "../document.ts";

/** What a text means, and how sure that is. */
interface FreeTextRule {
  readonly pattern: RegExp;
  /** An SPDX identifier, or a `LicenseRef-*` of the table below. */
  readonly expression: string | ((match: RegExpExecArray) => string);
  readonly confidence: number;
}

const ccVersion = (name: string, version: string | undefined) => `CC-${name.toUpperCase()}-${version ?? "4.0"}`;

/** In this order; the first that fits decides. Patterns see the text in lower case. */
const rules: readonly FreeTextRule[] = [
  {
    pattern: /creativecommons\.org\/licenses\/(by(?:-nc)?(?:-sa|-nd)?)\/(\d\.\d)/,
    expression: (match) => ccVersion(match[1], match[2]),
    confidence: 0.9,
  },
  { pattern: /creativecommons\.org\/publicdomain\/zero|\bcc[- ]?0\b/, expression: "CC0-1.0", confidence: 0.9 },
  { pattern: /creativecommons\.org\/publicdomain\/mark/, expression: "LicenseRef-public-domain", confidence: 0.7 },
  {
    pattern: /\bcc[- ](by(?:[- ]nc)?(?:[- ](?:sa|nd))?)(?:[- ]v?(\d\.\d))?\b/,
    expression: (match) => ccVersion(match[1].replaceAll(" ", "-"), match[2]),
    confidence: 0.8,
  },
  { pattern: /opendatacommons\.org\/licenses\/by|\bodc-by\b/, expression: "ODC-By-1.0", confidence: 0.8 },
  { pattern: /opendatacommons\.org\/licenses\/odbl|\bodbl\b/, expression: "ODbL-1.0", confidence: 0.8 },
  { pattern: /apache\.org\/licenses\/license-2\.0/, expression: "Apache-2.0", confidence: 0.9 },
  { pattern: /opensource\.org\/licen[cs]es?\/mit/, expression: "MIT", confidence: 0.9 },
  {
    pattern: /gnu\.org\/licenses\/(a|l)?gpl-(\d\.\d)/,
    expression: (match) => `${match[1] ?? ""}GPL-${match[2]}-only`.toUpperCase().replace("-ONLY", "-only"),
    confidence: 0.8,
  },
  { pattern: /\bopen ?rail(-m)?\b|\brail licen[cs]e\b/, expression: "LicenseRef-OpenRAIL", confidence: 0.7 },
  { pattern: /\bllama( ?\d[\d.]*)? community licen[cs]e\b/, expression: "LicenseRef-Llama-Community", confidence: 0.7 },
  {
    pattern: /\b(non-?commercial|academic use only|research (use|purposes) only)\b/,
    expression: "LicenseRef-non-commercial",
    confidence: 0.6,
  },
  {
    pattern: /all rights reserved|\bproprietary\b|\bconfidential\b|\bcommercial licen[cs]e\b/,
    expression: "LicenseRef-proprietary",
    confidence: 0.6,
  },
  {
    pattern: /(placed|released|dedicated|is) (in|into|to) the public domain|^public[- ]domain$/,
    expression: "LicenseRef-public-domain",
    confidence: 0.7,
  },
  {
    pattern: /us government work|work of the (us|u\.s\.|united states) government/,
    expression: "LicenseRef-US-government-work",
    confidence: 0.7,
  },
];

/** What Tilth decides of licences that SPDX does not list; `LicenseRef-*` of others are reviewed. */
export const licenceRefs: Readonly<Record<string, { readonly decision: LicenceDecision; readonly reason: string }>> = {
  "LicenseRef-public-domain": { decision: "allow", reason: "stated to be in the public domain" },
  "LicenseRef-US-government-work": { decision: "allow", reason: "no copyright in works of the US government" },
  "LicenseRef-OpenRAIL": { decision: "review", reason: "use restrictions travel with derived works" },
  "LicenseRef-Llama-Community": { decision: "review", reason: "conditions on use and on naming" },
  "LicenseRef-non-commercial": { decision: "deny", reason: "no commercial use" },
  "LicenseRef-proprietary": { decision: "deny", reason: "all rights reserved" },
};

/** The licence that a short text names, where a rule knows it. */
export function licenceInWords(text: string): { expression: string; confidence: number } | undefined {
  const lower = text.trim().toLowerCase().slice(0, 500);
  for (const { pattern, expression, confidence } of rules) {
    const match = pattern.exec(lower);
    if (match !== null) {
      return { expression: typeof expression === "string" ? expression : expression(match), confidence };
    }
  }
  return undefined;
}
