import { defineFilter } from "./define.ts";

/** How much personal data was replaced. No project drops a document for it; a threshold of one's own may. */
export const pii = defineFilter({
  name: "pii",
  kinds: [],
  source:
    "e-mail and public IP addresses as in datatrove's PIIFormatter, telephone numbers as in Dolma, secrets as in gitleaks and detect-secrets; counted before they were replaced",
  measures: {
    emails: "e-mail addresses",
    ipAddresses: "public IPv4 and IPv6 addresses",
    phones: "telephone numbers",
    secrets: "keys, tokens, passwords and private-key blocks",
  },
  thresholds: {},
  measure: ({ pii: found }) => ({
    emails: found.email,
    ipAddresses: found.ipv4 + found.ipv6,
    phones: found.phone,
    secrets: found.secret,
  }),
});
