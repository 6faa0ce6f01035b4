import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  decideFinding,
  decideLicence,
  findLicence,
  licencePolicy,
  normaliseExpression,
  openOptOuts,
  recogniseLicences,
  recordLicence,
  reservationIn,
  reservationInPage,
  statedLicence,
} from "../../src/corpus/licences/index.ts";

const policy = licencePolicy.parse({});
const mit =
  'Permission is hereby granted, free of charge, to any person obtaining a copy of this software\n * "Software" …\nThe above copyright notice and this permission notice shall be included. WITHOUT WARRANTY OF ANY KIND';

describe("decideLicence", () => {
  it.each([
    ["MIT", "attribute"],
    ["Apache-2.0", "attribute"],
    ["CC-BY-4.0", "attribute"],
    ["CC0-1.0", "allow"],
    ["0BSD", "allow"],
    ["MPL-2.0", "review"],
    ["GPL-3.0-or-later", "review"],
    ["GPL-2.0-only WITH Classpath-exception-2.0", "review"],
    ["CC-BY-SA-4.0", "review"],
    ["CC-BY-NC-4.0", "deny"],
    ["CC-BY-NC-SA-3.0", "deny"],
    ["CC-BY-ND-4.0", "deny"],
    ["UNLICENSED", "deny"],
    ["NOASSERTION", "review"],
    ["LicenseRef-Own", "review"],
    ["no such licence at all", "review"],
    ["", "review"],
    ["(MIT OR GPL-3.0-only)", "attribute"],
    ["(GPL-3.0-only OR CC0-1.0)", "allow"],
    ["MIT AND GPL-3.0-only", "review"],
    ["CC0-1.0 AND MIT", "attribute"],
    ["(MIT OR CC-BY-NC-4.0) AND CC0-1.0", "attribute"],
    ["constructor", "review"],
  ])("%s → %s", (expression, decision) => {
    expect(decideLicence(expression, policy).decision).toBe(decision);
  });

  it("says which rule decided", () => {
    expect(decideLicence("MIT OR GPL-3.0-only", policy).rule).toMatch(/^MIT: permissive.*best of the alternatives/);
    expect(decideLicence("LicenseRef-Own", policy).rule).toBe("LicenseRef-Own: not in the policy table");
  });

  it("applies overrides inside expressions", () => {
    const own = licencePolicy.parse({ overrides: { "GPL-3.0-only": "attribute", NOASSERTION: "deny" } });
    expect(decideLicence("MIT AND GPL-3.0-only", own).decision).toBe("attribute");
    expect(decideLicence("nonsense", own).decision).toBe("deny");
  });

  it("reviews what the evidence contradicts, and never improves a decision by it", () => {
    const finding = { expression: "MIT", evidence: "", confidence: 0.3 };
    expect(decideFinding(finding, policy)).toMatchObject({ decision: "review" });
    expect(decideFinding({ ...finding, expression: "CC-BY-NC-4.0" }, policy).decision).toBe("deny");
    expect(decideFinding({ ...finding, confidence: 0.5 }, policy).decision).toBe("attribute");
  });
});

describe("licencePolicy", () => {
  it("refuses a misspelt identifier or setting and names the near one", () => {
    expect(() => licencePolicy.parse({ overrides: { "Apache-2": "allow" } })).toThrow(/did you mean \\"Apache-2.0/);
    expect(() => licencePolicy.parse({ acept: ["allow"] })).toThrow(/did you mean \\"accept/);
    expect(() => licencePolicy.parse({ accept: ["yes"] })).toThrow();
  });
});

describe("normaliseExpression", () => {
  it("corrects near-misses and nothing else", () => {
    expect(normaliseExpression("Apache 2.0")).toBe("Apache-2.0");
    expect(normaliseExpression(" MIT ")).toBe("MIT");
    expect(normaliseExpression("Unlicensed")).toBe("UNLICENSED");
    expect(normaliseExpression("Unlicense")).toBe("Unlicense");
    expect(normaliseExpression("SEE LICENSE IN EULA.txt")).toBe("NOASSERTION");
  });
});

describe("licence texts", () => {
  it("recognises texts whatever their line breaks and comment marks", () => {
    expect(recogniseLicences(mit)).toEqual(["MIT"]);
    expect(recogniseLicences("hello")).toEqual([]);
    expect(recogniseLicences(readFileSync("node_modules/typescript/LICENSE", "utf8"))).toContain("Apache-2.0");
    expect(recogniseLicences(readFileSync("node_modules/spdx-license-ids/README.md", "utf8"))).toEqual([]);
  });

  it("confirms, contradicts or replaces a declaration", () => {
    const file = { name: "LICENSE", text: mit };
    const declared = (expression: string) => ({ expression, where: 'package.json "license"' });
    expect(findLicence(declared("MIT"), [file])).toMatchObject({ expression: "MIT", confidence: 0.95 });
    expect(findLicence(declared("MIT"), [file]).evidence).toMatch(
      /^package.json "license", LICENSE \(sha256 [0-9a-f]{8}…\)/,
    );
    expect(findLicence(declared("GPL-3.0-only"), [file])).toMatchObject({
      expression: "GPL-3.0-only",
      confidence: 0.3,
    });
    expect(findLicence(declared("SEE LICENSE IN LICENSE"), [file])).toMatchObject({
      expression: "MIT",
      confidence: 0.7,
    });
    expect(findLicence(undefined, [file])).toMatchObject({ expression: "MIT", confidence: 0.7 });
    expect(findLicence(undefined, [])).toEqual({
      expression: "NOASSERTION",
      evidence: "no licence file",
      confidence: 0,
    });
    expect(findLicence(undefined, [{ name: "COPYING", text: "ask me" }])).toMatchObject({ expression: "NOASSERTION" });
  });
});

describe("licences in words", () => {
  it.each([
    ["cc-by-4.0", "CC-BY-4.0"],
    ["CC BY-NC-SA 3.0", "CC-BY-NC-SA-3.0"],
    ["https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"],
    ["http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"],
    ["Public Domain", "LicenseRef-public-domain"],
    ["for non-commercial use", "LicenseRef-non-commercial"],
    ["https://www.gnu.org/licenses/agpl-3.0.html", "AGPL-3.0-only"],
    ["LicenseRef-mine", "LicenseRef-mine"],
  ])("%s → %s", (text, expression) => {
    expect(recordLicence(text, 'field "license"').expression).toBe(expression);
  });

  it("decides about them: known references by the table, others for review, all by override", () => {
    const policy = licencePolicy.parse({ overrides: { "LicenseRef-ours": "allow" } });
    const decision = (text: string) => decideFinding(recordLicence(text, "field"), policy).decision;
    expect(
      ["public domain", "all rights reserved", "LicenseRef-x", "LicenseRef-ours", "who knows"].map(decision),
    ).toEqual(["allow", "deny", "review", "allow", "review"]);
  });

  it("reads what a file states of itself", () => {
    expect(statedLicence("/* SPDX-License-Identifier: MIT OR Apache-2.0 */")?.expression).toBe("MIT OR Apache-2.0");
    expect(statedLicence("<!-- SPDX-License-Identifier: CC-BY-4.0 -->")?.expression).toBe("CC-BY-4.0");
    expect(statedLicence("This document has been placed in the public domain.")?.expression).toBe(
      "LicenseRef-public-domain",
    );
    expect(statedLicence("the public domain is a concept")).toBeUndefined();
    expect(statedLicence("See https://creativecommons.org/licenses/by/4.0/")?.confidence).toBeLessThan(0.5);
  });
});

describe("opt-outs", () => {
  const open = (settings: unknown, found: [string, string][] = []) =>
    openOptOuts(licencePolicy.parse({ optOut: settings }).optOut, new Map(found), ".");

  it("denies listed domains and all below them, and nothing else", () => {
    const optOuts = open({ domains: ["Example.com"] });
    expect(optOuts.reasonFor({ url: "https://www.example.com/a" })).toMatch(/example.com is in the list/);
    expect(optOuts.reasonFor({ url: "http://a.b.example.com:8080/" })).toMatch(/example.com/);
    for (const url of ["https://notexample.com/", "https://example.com.evil.org/", "not a url", undefined]) {
      expect(optOuts.reasonFor({ url })).toBeUndefined();
    }
  });

  it("honours robots.txt for training crawlers, by path, and ignores it without agents", () => {
    const found: [string, string][] = [
      [
        "a.example/robots.txt",
        "User-agent: *\nDisallow: /private\n\nUser-agent: GPTBot\nUser-agent: CCBot\nDisallow: /news\n",
      ],
      ["b.example/ai.txt", "User-Agent: *\nDisallow: /"],
    ];
    const optOuts = open({}, found);
    expect(optOuts.reasonFor({ url: "https://a.example/news/1" })).toBe("a.example/robots.txt closes it to GPTBot");
    expect(optOuts.reasonFor({ url: "https://a.example/private" })).toMatch(/closes it to Google-Extended/);
    expect(optOuts.reasonFor({ url: "https://a.example/open" })).toBeUndefined();
    expect(optOuts.reasonFor({ url: "https://b.example/x" })).toMatch(/ai.txt/);
    expect(open({ agents: [] }, found).reasonFor({ url: "https://a.example/news/1" })).toBeUndefined();
  });

  it("honours reservations in headers, pages and tdmrep.json", () => {
    const header = (headers: Record<string, string>) => reservationIn((name) => headers[name]);
    expect(header({ "tdm-reservation": "1" })).toBe("tdm-reservation: 1");
    expect(header({ "tdm-reservation": "0" })).toBeUndefined();
    expect(header({ "x-robots-tag": "noindex, noai" })).toBe("x-robots-tag: noai");
    expect(header({ "content-usage": "train-ai=n" })).toBe("content-usage: train-ai=n");
    expect(reservationInPage('<meta name="tdm-reservation" content="1">')).toMatch(/tdm-reservation/);
    expect(reservationInPage('<meta name="robots" content="noindex">')).toBeUndefined();
    const tdmrep = '[{"location": "/free/*", "tdm-reservation": 0}, {"location": "/*", "tdm-reservation": 1}]';
    const optOuts = open({}, [["a.example/.well-known/tdmrep.json", tdmrep]]);
    expect(optOuts.reasonFor({ url: "https://a.example/free/x" })).toBeUndefined();
    expect(optOuts.reasonFor({ url: "https://a.example/paid" })).toMatch(/tdmrep.json reserves \/paid/);
    expect(open({ reservations: false }).reasonFor({ reservation: "tdm-reservation: 1" })).toBeUndefined();
  });
});
