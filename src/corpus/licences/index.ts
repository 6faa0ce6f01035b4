/** Licences: what applies to a document, on what evidence, and whether the policy lets it train a model. */
export { findLicence, type LicenceFile, recogniseLicences } from "./evidence.ts";
export { type OptOuts, openOptOuts, reservationIn, reservationInPage, robotsAddress } from "./opt-out.ts";
export {
  decideFinding,
  decideLicence,
  decisionRank,
  type LicencePolicy,
  type LicenceVerdict,
  licencePolicy,
  normaliseExpression,
} from "./policy.ts";
export { recordLicence, statedLicence } from "./statement.ts";
