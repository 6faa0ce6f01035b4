/** Licence policy: which SPDX expression may train a model, and on which condition. */
import correct from "spdx-correct";
import parse, { type SpdxNode } from "spdx-expression-parse";
import { z } from "zod";
import { didYouMean, unknownKeys } from "../../foundation/index.ts";
import type { LicenceDecision, LicenceFinding } from "../document.ts";
import { licenceInWords, licenceRefs } from "./free-text.ts";
import { optOutSettings } from "./opt-out.ts";
import { licenceTable, proprietary, tableRule } from "./table.ts";

const decisions = ["allow", "attribute", "review", "deny"] as const satisfies readonly LicenceDecision[];
const decision = z.enum(decisions);

const policyShape = {
  accept: z
    .array(decision)
    .default(["allow", "attribute"])
    .describe("decisions that let a document into the training set; the others stay in the store, rejected"),
  minimumConfidence: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("a licence found with less confidence, e.g. contradicted by the licence file, is reviewed at best"),
  overrides: z
    .record(
      z.string().refine(isIdentifier, {
        error: (issue) => {
          const question = didYouMean(String(issue.input), namedIdentifiers);
          return `"${issue.input}" is no SPDX licence identifier; ${question ?? "see https://spdx.org/licenses/"}`;
        },
      }),
      decision,
    )
    .default({})
    .describe(
      "decisions by SPDX identifier (or NOASSERTION, UNLICENSED, LicenseRef-…) that replace those of Tilth's table",
    ),
  optOut: optOutSettings.prefault({}).describe("publishers who said no, by domain and by what their pages say"),
};

/** Which licences a corpus takes. A misspelt identifier is an error: a rule must not silently fail to fire. */
export const licencePolicy = z.strictObject(policyShape, {
  error: unknownKeys("licence setting", Object.keys(policyShape)),
});

export type LicencePolicy = z.infer<typeof licencePolicy>;

/** A decision and the policy line behind it. */
export interface LicenceVerdict {
  readonly decision: LicenceDecision;
  readonly rule: string;
  /** Why the document's publisher keeps it out, whatever its licence says. */
  readonly optOut?: string;
}

const namedIdentifiers = [...licenceTable.flatMap(({ identifiers }) => identifiers), proprietary, "NOASSERTION"].concat(
  ["MPL-2.0", "LGPL-2.1-only", "LGPL-3.0-only", "EPL-2.0", "GPL-2.0-only", "GPL-3.0-only", "AGPL-3.0-only"],
  ["CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "CC-BY-NC-SA-4.0"],
);

/** The rank of a decision: lower is better. Also orders the copies of a near-duplicate. */
export function decisionRank(value: LicenceDecision): number {
  return decisions.indexOf(value);
}

/** Decides about a licence as found: as its expression, but at best for review where the evidence is weak. */
export function decideFinding(finding: LicenceFinding, policy: LicencePolicy): LicenceVerdict {
  const verdict = decideLicence(finding.expression, policy);
  if (finding.confidence >= policy.minimumConfidence || decisionRank(verdict.decision) >= decisionRank("review")) {
    return verdict;
  }
  return {
    decision: "review",
    rule: `${verdict.rule}; confidence ${finding.confidence} is below ${policy.minimumConfidence}`,
  };
}

/**
 * Decides about an SPDX expression. Of alternatives (OR) the best counts, of a conjunction (AND) the worst; an exception
 * (WITH) keeps its licence's decision, for exceptions only add permissions. What is unknown is reviewed, never allowed.
 */
export function decideLicence(expression: string, policy: LicencePolicy): LicenceVerdict {
  const normal = normaliseExpression(expression);
  if (normal === "NOASSERTION" || normal === proprietary) return decideIdentifier(normal, undefined, policy);
  return decideNode(parse(normal), policy);
}

/**
 * The SPDX expression that `declared` is or evidently means (`Apache 2` is `Apache-2.0`; words and addresses that SPDX
 * does not list have a `LicenseRef-*` of Tilth's), `UNLICENSED`, or `NOASSERTION` where no expression can be made of it.
 */
export function normaliseExpression(declared: string): string {
  const trimmed = declared.trim();
  if (trimmed === "" || trimmed === "NOASSERTION" || /^(NONE|SEE LICEN[CS]E)/i.test(trimmed)) return "NOASSERTION";
  // Before the correction, which would read it as the public-domain "Unlicense".
  if (/^(unlicensed|proprietary|all rights reserved)$/i.test(trimmed)) return proprietary;
  if (isExpression(trimmed)) return trimmed;
  const named = licenceInWords(trimmed);
  if (named !== undefined && isExpression(named.expression)) return named.expression;
  const corrected = correct(trimmed, { upgrade: false });
  return corrected !== null && isExpression(corrected) ? corrected : "NOASSERTION";
}

function decideNode(node: SpdxNode, policy: LicencePolicy): LicenceVerdict {
  if ("license" in node) return decideIdentifier(node.license, node.exception, policy);
  const left = decideNode(node.left, policy);
  const right = decideNode(node.right, policy);
  const leftIsBetter = decisionRank(left.decision) <= decisionRank(right.decision);
  const chosen = (node.conjunction === "or") === leftIsBetter ? left : right;
  const why = node.conjunction === "or" ? "best of the alternatives" : "strictest of the parts";
  return { decision: chosen.decision, rule: `${chosen.rule}; ${why}` };
}

function decideIdentifier(identifier: string, exception: string | undefined, policy: LicencePolicy): LicenceVerdict {
  const name = exception === undefined ? identifier : `${identifier} WITH ${exception}`;
  const override = Object.hasOwn(policy.overrides, identifier) ? policy.overrides[identifier] : undefined;
  if (override !== undefined) return { decision: override, rule: `${name}: ${override} by override` };
  if (identifier === proprietary) return { decision: "deny", rule: `${name}: no rights granted` };
  if (identifier === "NOASSERTION") return { decision: "review", rule: `${name}: no usable licence was found` };
  const reference = Object.hasOwn(licenceRefs, identifier) ? licenceRefs[identifier] : undefined;
  if (reference !== undefined) return { decision: reference.decision, rule: `${name}: ${reference.reason}` };
  const rule = tableRule(identifier);
  if (rule === undefined) return { decision: "review", rule: `${name}: not in the policy table` };
  return { decision: rule.decision, rule: `${name}: ${rule.reason}` };
}

function isExpression(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

function isIdentifier(text: string): boolean {
  if (text === "NOASSERTION" || text === proprietary) return true;
  try {
    return "license" in parse(text);
  } catch {
    return false;
  }
}
