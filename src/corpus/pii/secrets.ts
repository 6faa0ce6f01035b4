/** Keys and secrets: known prefixes, private-key blocks, addresses with a password, and high-entropy assignments. */
import type { Detector } from "./detectors.ts";

/**
 * Forms of tokens that their makers publish so that leaks can be found; the set of gitleaks and detect-secrets
 * without those that have no fixed mark.
 */
const tokens: readonly string[] = [
  "(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}", // AWS access key
  "gh[pousr]_[A-Za-z0-9]{36,255}", // GitHub
  "github_pat_[A-Za-z0-9_]{82}",
  "gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\\w-]{20,}", // GitLab
  "xox[abposer]-[A-Za-z0-9-]{10,}", // Slack
  "hooks\\.slack\\.com/services/T\\w{8,}/B\\w{8,}/\\w{24}",
  "(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}", // Stripe
  "whsec_[A-Za-z0-9+/]{32,}",
  "AIza[\\w-]{35}", // Google
  "ya29\\.[\\w-]{40,}",
  "npm_[A-Za-z0-9]{36}",
  "pypi-AgEIcHlwaS5vcmc[\\w-]{50,}",
  "sk-ant-[\\w-]{80,}", // Anthropic
  "sk-(?:proj-)?[\\w-]{20,}T3BlbkFJ[\\w-]{20,}", // OpenAI
  "hf_[A-Za-z]{34}", // Hugging Face
  "SG\\.[\\w-]{22}\\.[\\w-]{43}", // SendGrid
  "do[opr]_v1_[a-f0-9]{64}", // DigitalOcean
  "shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}", // Shopify
  "dckr_pat_[\\w-]{27}", // Docker Hub
  "glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}", // Grafana
  "\\d{8,10}:AA[\\w-]{33}", // Telegram
  "AccountKey=[A-Za-z0-9+/]{86}==", // Azure storage
  "eyJ[\\w-]{10,}\\.eyJ[\\w-]{10,}\\.[\\w-]{10,}", // JSON Web Token
];

const token: Detector = {
  kind: "secret",
  possible: (text) =>
    /A[KSBC][IC]A|gh[pousr]_|github_pat_|gl[a-z]{2,4}-|xox[a-z]-|hooks\.slack|[sr]k[_-]|whsec_|AIza|ya29|npm_|pypi-|hf_|SG\.|_v1_|shp|dckr_|glsa_|:AA|AccountKey|eyJ/.test(
      text,
    ),
  pattern: new RegExp(`(?<![A-Za-z0-9])(?:${tokens.join("|")})(?![A-Za-z0-9])`, "g"),
  accept: (value) => entropyOf(value) >= 3,
};

const privateKey: Detector = {
  kind: "secret",
  possible: (text) => text.includes("PRIVATE KEY"),
  pattern:
    /-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----([A-Za-z0-9+/=\s\\:,.()]{64,20000})-----END (?:[A-Z]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----/g,
};

const passwordInAddress: Detector = {
  kind: "secret",
  possible: (text) => text.includes("://") && text.includes("@"),
  pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@"'<>]{1,64}:([^\s:/@"'<>]{4,128})@[\w.-]+/g,
  accept: (value) => !placeholder.test(value),
};

/** gitleaks asks a generic key for 3.5 bits a character; text and identifiers lie below, except for long ones. */
const minimumEntropy = 3.5;
/** Hexadecimal digits cannot exceed 4 bits; detect-secrets asks them for 3. */
const minimumHexadecimalEntropy = 3;
const placeholder =
  /x{4,}|\*{3,}|\.{3}|example|sample|dummy|placeholder|your|change.?me|password|secret|token|test|fake|todo|redacted|<|\$\{|\{\{|%s|process\.env/i;

const assignment: Detector = {
  kind: "secret",
  possible: (text) => /key|token|secret|passw|pwd|credential|auth/i.test(text),
  pattern:
    /(?:(?:api|access|auth|client|private|secret|encryption|signing|service|account)[_-]?(?:key|token|secret)|passw(?:or)?d|secret|token|credentials?)[\w-]{0,20}["'`]?\s{0,3}(?:=>|[:=])\s{0,3}["'`]([\w+/=.~-]{16,256})["'`]/gi,
  accept: (value) => {
    if (placeholder.test(value) || !/\d/.test(value) || !/[a-zA-Z]/.test(value)) return false;
    // Words joined by marks are a name, versions and paths are no keys.
    if (/^[a-z]+(?:[-_./][a-z]+)*\d{0,3}$/i.test(value)) return false;
    return entropyOf(value) >= (/^[0-9a-fA-F]+$/.test(value) ? minimumHexadecimalEntropy : minimumEntropy);
  },
};

export const secretDetectors: readonly Detector[] = [privateKey, token, passwordInAddress, assignment];

/** Shannon entropy of the characters, in bits a character. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let entropy = 0;
  for (const count of counts.values()) entropy -= (count / text.length) * Math.log2(count / text.length);
  return entropy;
}
