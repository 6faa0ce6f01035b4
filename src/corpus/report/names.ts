/** The fixed names that reports group by, in the order in which they are shown. */
import type { LicenceDecision } from "../document.ts";

export const licenceDecisions = ["allow", "attribute", "review", "deny"] as const satisfies readonly LicenceDecision[];
