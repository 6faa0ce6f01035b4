/** From licence files and declarations to a finding: what the licence is, on what grounds, and how sure that is. */
import { createHash } from "node:crypto";
import parse, { type SpdxNode } from "spdx-expression-parse";
import type { LicenceFinding } from "../document.ts";
import { normaliseExpression } from "./policy.ts";

/** A licence text is recognised by phrases that all occur in it and that, together, no other licence has. */
interface LicenceText {
  readonly identifier: string;
  readonly phrases: readonly string[];
  /** Phrases of relatives that would also have those above. */
  readonly without?: readonly string[];
}

const mitGrant = "permission is hereby granted, free of charge, to any person obtaining a copy";
const mitNotice = "the above copyright notice and this permission notice";
const iscGrant = "permission to use, copy, modify, and/or distribute this software for any purpose";
const iscNotice = "provided that the above copyright notice and this permission notice appear in all copies";
const bsdGrant = "redistribution and use in source and binary forms, with or without modification";
const bsdBinary = "redistributions in binary form must reproduce the above copyright notice";
const bsdEndorse = "endorse or promote products derived from this software";

/** Canonical wording in lower case, on one line, with straight quotes. */
const licenceTexts: readonly LicenceText[] = [
  { identifier: "MIT", phrases: [mitGrant, mitNotice] },
  { identifier: "MIT-0", phrases: [mitGrant, "without warranty of any kind"], without: [mitNotice] },
  { identifier: "Apache-2.0", phrases: ["apache license", "version 2.0, january 2004", "grant of patent license"] },
  {
    identifier: "Apache-2.0",
    phrases: ["licensed under the apache license, version 2.0"],
    without: ["grant of patent"],
  },
  { identifier: "BSD-3-Clause", phrases: [bsdGrant, bsdBinary, bsdEndorse], without: ["all advertising materials"] },
  { identifier: "BSD-4-Clause", phrases: [bsdGrant, bsdBinary, bsdEndorse, "all advertising materials"] },
  { identifier: "BSD-2-Clause", phrases: [bsdGrant, bsdBinary], without: [bsdEndorse] },
  { identifier: "ISC", phrases: [iscGrant, iscNotice] },
  { identifier: "ISC", phrases: ["permission to use, copy, modify, and distribute this software for any", iscNotice] },
  { identifier: "0BSD", phrases: [iscGrant], without: ["appear in all copies"] },
  { identifier: "Zlib", phrases: ["altered source versions must be plainly marked as such", "misrepresented"] },
  { identifier: "BlueOak-1.0.0", phrases: ["blue oak model license", "version 1.0.0"] },
  { identifier: "BSL-1.0", phrases: ["boost software license - version 1.0"] },
  { identifier: "Python-2.0", phrases: ["python software foundation license version 2", "cnri license agreement"] },
  { identifier: "Artistic-2.0", phrases: ["the artistic license 2.0"] },
  { identifier: "Unlicense", phrases: ["this is free and unencumbered software released into the public domain"] },
  { identifier: "WTFPL", phrases: ["do what the fuck you want to public license"] },
  { identifier: "CC0-1.0", phrases: ["cc0 1.0 universal"] },
  { identifier: "CC-BY-4.0", phrases: ["attribution 4.0 international", "creative commons"] },
  { identifier: "CC-BY-SA-4.0", phrases: ["attribution-sharealike 4.0 international"] },
  { identifier: "CC-BY-NC-4.0", phrases: ["attribution-noncommercial 4.0 international"] },
  { identifier: "CC-BY-ND-4.0", phrases: ["attribution-noderivatives 4.0 international"] },
  { identifier: "CC-BY-NC-SA-4.0", phrases: ["attribution-noncommercial-sharealike 4.0 international"] },
  { identifier: "MPL-2.0", phrases: ["mozilla public license version 2.0", "covered software"] },
  { identifier: "EPL-2.0", phrases: ["eclipse public license - v 2.0"] },
  { identifier: "LGPL-3.0-only", phrases: ["gnu lesser general public license version 3, 29 june 2007"] },
  { identifier: "LGPL-2.1-only", phrases: ["gnu lesser general public license version 2.1, february 1999"] },
  { identifier: "AGPL-3.0-only", phrases: ["gnu affero general public license version 3, 19 november 2007"] },
  { identifier: "GPL-3.0-only", phrases: ["gnu general public license version 3, 29 june 2007"] },
  { identifier: "GPL-2.0-only", phrases: ["gnu general public license version 2, june 1991"] },
];

/** The licences whose texts are in `text`, in the table's order; empty where none is recognised. */
export function recogniseLicences(text: string): string[] {
  const plain = text
    .toLowerCase()
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .replace(/[\u2010-\u2015]/g, "-")
    .replace(/[\s*#>_=]+/g, " ");
  const found = licenceTexts.filter(
    ({ phrases, without }) =>
      phrases.every((phrase) => plain.includes(phrase)) && !without?.some((phrase) => plain.includes(phrase)),
  );
  return [...new Set(found.map(({ identifier }) => identifier))];
}

/** A licence file that lies with the documents. */
export interface LicenceFile {
  readonly name: string;
  readonly text: string;
}

/** Finds the licence from what is declared, and from the files that lie beside it. */
export function findLicence(
  declared: { readonly expression: string; readonly where: string } | undefined,
  files: readonly LicenceFile[],
): LicenceFinding {
  const seen = files.map((file) => ({ file, licences: recogniseLicences(file.text) }));
  const texts = [...new Set(seen.flatMap(({ licences }) => licences))];
  const named = seen.map(({ file, licences }) => describeFile(file, licences)).join(", ");
  const expression = declared === undefined ? "NOASSERTION" : normaliseExpression(declared.expression);
  if (expression === "NOASSERTION") return fromFiles(declared, texts, named);
  const declaration = declared?.where ?? "declared";
  if (seen.length === 0) return { expression, evidence: `${declaration}; no licence file`, confidence: 0.8 };
  if (texts.length === 0) return { expression, evidence: `${declaration}, ${named}`, confidence: 0.8 };
  const declaredIdentifiers = new Set(identifiersOf(expression).map(family));
  const confirmed = texts.some((identifier) => declaredIdentifiers.has(family(identifier)));
  return confirmed
    ? { expression, evidence: `${declaration}, ${named}`, confidence: 0.95 }
    : { expression, evidence: `${declaration}, but ${named}`, confidence: 0.3 };
}

/** Without a usable declaration: all texts found apply together, because nothing says that one may choose. */
function fromFiles(
  declared: { readonly expression: string; readonly where: string } | undefined,
  texts: readonly string[],
  named: string,
): LicenceFinding {
  const unusable = declared === undefined ? "" : `${declared.where} says "${declared.expression.slice(0, 80)}", `;
  if (texts.length > 0) {
    return {
      expression: texts.join(" AND "),
      evidence: `${unusable}${named}`,
      confidence: texts.length === 1 ? 0.7 : 0.5,
    };
  }
  return { expression: "NOASSERTION", evidence: `${unusable}${named || "no licence file"}`, confidence: 0 };
}

function describeFile({ name, text }: LicenceFile, licences: readonly string[]): string {
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 8);
  return `${name} (sha256 ${digest}…) ${licences.length === 0 ? "not recognised" : `reads as ${licences.join(", ")}`}`;
}

function identifiersOf(expression: string): string[] {
  const collect = (node: SpdxNode): string[] =>
    "license" in node ? [node.license] : [...collect(node.left), ...collect(node.right)];
  return expression === "UNLICENSED" ? [expression] : collect(parse(expression));
}

/** GPL-2.0, GPL-2.0-only and GPL-2.0-or-later have the same text; so have the MIT and X11 grants. */
function family(identifier: string): string {
  return identifier.replace(/-(only|or-later)$/, "").replace(/^X11$/, "MIT");
}
