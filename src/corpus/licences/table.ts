/** The policy table: SPDX identifiers by what Tilth decides of them, in the order in which a rule is looked up. */
import type { LicenceDecision } from "../document.ts";

/** A group of licences with one decision for one reason. */
export interface LicenceRule {
  readonly decision: LicenceDecision;
  /** In words, for the report and for `licenceRule` of a row. */
  readonly reason: string;
  readonly identifiers: readonly string[];
  /** Prefixes, for families with many versions and jurisdictions (`CC-BY-NC-4.0`, `CC-BY-NC-3.0-DE`). */
  readonly families?: readonly string[];
}

/** Engineering judgement, not legal advice; every line can be overridden by configuration. */
export const licenceTable: readonly LicenceRule[] = [
  {
    decision: "allow",
    reason: "public-domain dedication or permission without conditions",
    identifiers: ["CC0-1.0", "Unlicense", "0BSD", "MIT-0", "PDDL-1.0", "WTFPL", "CC-PDDC", "NIST-PD"],
  },
  {
    decision: "attribute",
    reason: "permissive: the copyright and licence notices go with copies",
    identifiers: [
      ...["MIT", "ISC", "BSD-1-Clause", "BSD-2-Clause", "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-3-Clause-Clear"],
      ...["BSD-4-Clause", "BSD-Source-Code", "Apache-1.1", "Apache-2.0", "BlueOak-1.0.0", "Python-2.0", "PSF-2.0"],
      ...["Python-2.0.1", "Zlib", "zlib-acknowledgement", "X11", "BSL-1.0", "NCSA", "UPL-1.0", "PostgreSQL", "HPND"],
      ...["curl", "Ruby", "AFL-2.1", "AFL-3.0", "Artistic-2.0", "Unicode-DFS-2016", "Unicode-3.0", "Unicode-TOU"],
      ...[
        "MulanPSL-2.0",
        "W3C",
        "W3C-20150513",
        "W3C-19980720",
        "OFL-1.1",
        "FTL",
        "Libpng",
        "libpng-2.0",
        "IJG",
        "ICU",
        "TCL",
      ],
      ...["CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "ODC-By-1.0", "MIT-CMU", "MITNFA", "Xnet", "PHP-3.01"],
    ],
  },
  {
    decision: "review",
    reason: "weak copyleft: changes to the covered files carry the licence",
    identifiers: ["CPL-1.0", "OSL-3.0", "MS-RL", "ODbL-1.0", "Artistic-1.0"],
    families: ["MPL-", "LGPL-", "EPL-", "CDDL-", "EUPL-"],
  },
  { decision: "review", reason: "strong copyleft", identifiers: [], families: ["GPL-", "AGPL-", "SSPL-", "GFDL-"] },
  {
    decision: "deny",
    reason: "no commercial use",
    identifiers: [],
    families: ["CC-BY-NC-", "PolyForm-Noncommercial-"],
  },
  { decision: "deny", reason: "no derived works", identifiers: [], families: ["CC-BY-ND-"] },
  {
    decision: "review",
    reason: "share-alike: adaptations carry the licence",
    identifiers: [],
    families: ["CC-BY-SA-"],
  },
  { decision: "review", reason: "source available, not open source", identifiers: ["BUSL-1.1", "Elastic-2.0"] },
];

/** What package.json writes for "no rights granted"; no SPDX identifier, but an answer. */
export const proprietary = "UNLICENSED";

/** The table's line for a licence, or undefined for one that it does not name. */
export function tableRule(identifier: string): LicenceRule | undefined {
  return licenceTable.find(
    (rule) =>
      rule.identifiers.includes(identifier) || rule.families?.some((family) => identifier.startsWith(family)) === true,
  );
}
