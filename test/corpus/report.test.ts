import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  buildCorpus,
  type CorpusBuild,
  corpusReport,
  coverageOf,
  type DocumentStore,
  documentStory,
  loadEvaluationSets,
  openDocumentStore,
  parseEvaluationSets,
  renderAttribution,
  renderReport,
  renderReportHtml,
  renderReportMarkdown,
  renderStory,
  sampleDocuments,
} from "../../src/corpus/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-report-"));
const packages = join(folder, "node_modules");

function writePackage(name: string, licence: string, files: Record<string, string>): void {
  const at = join(packages, name);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "package.json"), JSON.stringify({ name, version: "1.2.3", license: licence }));
  for (const [path, text] of Object.entries(files)) writeFileSync(join(at, path), text);
}

// Real prose: this repository's own.
const [original, other, third] = ["README.md", "CONTRIBUTING.md", "docs/architecture.md"].map((path) =>
  readFileSync(path, "utf8")
    .replace(/^\|.*$/gm, "")
    .replace(/```[\s\S]*?```/g, ""),
);

describe("a corpus report", () => {
  let build: CorpusBuild;
  let store: DocumentStore;

  beforeAll(async () => {
    writePackage("good", "MIT", {
      "README.md": original,
      LICENSE: `MIT License\n\nCopyright (c) 2021 Ada <script>alert(1)</script> Lovelace\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n`,
      "copy.md": original,
      "near.md": original.replace("duplicated", "repeated"),
      "other.md": other,
    });
    writePackage("closed", "SEE LICENSE IN NOTHING", { "README.md": third });
    writePackage("poor", "ISC", { "README.md": "buy now ".repeat(200), "empty.md": "" });
    build = await buildCorpus({
      sources: [{ reader: "npm", path: packages }],
      folder: join(folder, "store"),
      workers: 0,
    });
    store = await openDocumentStore(build.folder);
  });
  afterAll(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("has figures that agree with the documents", async () => {
    const report = await corpusReport(store);
    expect(report.total.documents).toBe(build.documents);
    expect(report.kept).toEqual({ documents: build.kept, bytes: build.keptBytes });
    expect(report.kept.documents + report.rejected.documents).toBe(report.total.documents);
    const reasons = Object.fromEntries(report.rejectedByReason.map(({ name, documents }) => [name, documents]));
    expect(reasons).toEqual(build.rejectedByReason);
    expect(report.deduplication.exact.documents).toBe(1);
    expect(report.deduplication.near.documents).toBe(1);
    expect(report.deduplication.largest[0]).toMatchObject({ members: 3, source: "npm:good@1.2.3" });
    const decisions = Object.fromEntries(report.byLicenceDecision.map((one) => [one.name, one]));
    expect(decisions.review).toMatchObject({ documents: 1, keptDocuments: 0 });
    expect(decisions.attribute.keptBytes).toBe(report.kept.bytes);
    expect(report.splits.reduce((sum, { documents }) => sum + documents, 0)).toBe(report.kept.documents);
    const words = report.quality.measures.find(
      ({ kind, measure }) => kind === "prose" && measure === "gopher-quality.words",
    );
    expect(words?.threshold).toMatch(/\d/);
    expect(words?.quantiles).toHaveLength(report.quality.shares.length);
    expect(report.notMeasured).toEqual(["evaluation coverage"]);
  });

  it("has a funnel, cluster sizes, lengths and spreads that add up to the same documents", async () => {
    const report = await corpusReport(store);
    const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0);
    expect(sum(report.funnel.map(({ documents }) => documents))).toBe(report.rejected.documents);
    expect(report.funnel.at(-1)).toMatchObject({ documentsLeft: report.kept.documents, bytesLeft: report.kept.bytes });
    const order = report.funnel.map(({ stage }) => stage);
    expect(order.indexOf("licence")).toBeLessThan(order.indexOf("exact-duplicate"));
    expect(sum(report.clusterSizes.map(({ documents }) => documents))).toBe(report.deduplication.documentsInClusters);
    expect(report.clusterSizes).toEqual([{ from: 2, to: 3, clusters: 1, documents: 3 }]);
    expect(sum(report.lengths.map(({ kept }) => kept))).toBe(report.kept.documents);
    const [{ number }] = await store.query("SELECT count(*) AS number FROM documents WHERE NOT kept AND bytes > 0");
    expect(sum(report.lengths.map(({ rejected }) => rejected))).toBe(number);
    const words = report.histograms.find(({ measure }) => measure === "gopher-quality.words");
    expect(sum(words!.counts)).toBe(report.kept.documents);
    const trained = report.splits.find(({ name }) => name === "train")!;
    expect(sum(report.mixture.groups.map(({ bytes }) => bytes))).toBe(trained.bytes);
  });

  it("draws its figures as plots that say in words what they show", async () => {
    const tasks = join(folder, "tasks.jsonl");
    writeFileSync(
      tasks,
      ["seed & soil <b>", "an op and its kernel", "the license"]
        .map((text) => `${JSON.stringify({ text })}\n`)
        .join(""),
    );
    const set = { name: "quiz", path: tasks, fields: ["text"] };
    const coverage = await coverageOf(store, await loadEvaluationSets(parseEvaluationSets([set]), folder));
    const group = { documents: 1, availableTokens: 9, wantedShare: 1, maximumEpochs: 4, capped: true, copies: 4 };
    const plan = { documents: 1, availableTokens: 9, wantedTokens: 40, tokens: 36, copies: 4 };
    const groups = [{ ...group, name: "prose <i>", tokens: 36, share: 1, epochs: 4 }];
    const report = await corpusReport(store, { coverage, mixture: { ...plan, groups } });
    expect(report.notMeasured).toEqual([]);
    const html = await renderReportHtml(report);
    const plots = html.match(/<svg[\s\S]*?<\/svg>/g)!;
    for (const title of ["Mixture of the training tokens", "Funnel", "Licences", "Languages", "Documents by length"]) {
      expect(plots.filter((plot) => plot.includes(`>${title}`))).toHaveLength(1);
    }
    for (const title of ["Documents in clusters", "Evaluation coverage", "prose gopher-quality.words"]) {
      expect(plots.filter((plot) => plot.includes(`>${title}`))).toHaveLength(1);
    }
    for (const plot of plots)
      expect(plot).toMatch(/role="img"[^>]*|<title id="plot-\d+-title">[^<]+<\/title><desc id="plot-\d+-desc">[^<]+/);
    expect(new Set(html.match(/id="plot-\d+-title"/g)).size).toBe(plots.length);
    expect(html).toContain("36 tokens, 4.00 epochs, capped");
    expect(html).not.toMatch(/<i>|<b>|<script|https?:\/\/(?!www\.w3\.org)[^"<]*"/);
    expect(html).not.toContain("Not measured");
    expect(renderReport(report)).toContain("Coverage of quiz (3 items): words");
    expect(renderReportMarkdown(report)).toContain("Evaluation coverage, quiz");
  });

  it("is told on a terminal, as Markdown and as HTML that no document can break", async () => {
    const report = await corpusReport(store);
    const hostile = {
      ...report,
      rejectedByReason: [{ name: '<script>alert("x")</script>', documents: 1, bytes: 1 }],
      topSources: [{ ...report.topSources[0], name: "a|b\u001b[31m<img src=x>" }],
    };
    const html = await renderReportHtml(hostile);
    expect(html).not.toContain("<script");
    expect(html).not.toContain("<img");
    expect(html).toContain("&lt;script&gt;");
    expect(html).toContain("Not measured");
    const text = renderReport(hostile);
    expect(text).not.toContain("\u001b");
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    for (const part of [
      "By licence decision",
      "Duplicates",
      "Personal data and secrets replaced",
      "Profanity by word list",
      "Not measured: evaluation coverage",
    ]) {
      expect(text).toContain(part);
    }
    expect(renderReportMarkdown(report)).toMatch(/^## Training data\n/);
  });

  it("names whose work was kept, with the notices of their licence files, markup taken out", async () => {
    const attribution = await renderAttribution(store);
    expect(attribution).toContain("## npm:good@1.2.3");
    expect(attribution).toContain("Copyright (c) 2021 Ada");
    expect(attribution).not.toContain("<script>");
    expect(attribution).not.toContain("npm:closed@1.2.3");
  });

  it("explains a kept document and rejected ones, thresholds beside values", async () => {
    const [{ id }] = await store.query("SELECT id FROM documents WHERE path = 'other.md'");
    const kept = await documentStory(store, String(id).slice(0, 10));
    expect(kept.row.kept).toBe(true);
    expect(kept.measures.filter(({ threshold }) => threshold !== null).every(({ passes }) => passes)).toBe(true);
    const text = renderStory(kept);
    for (const part of [
      "Verdict     kept",
      "MIT: attribute",
      "package.json",
      "asked for: en",
      "✓ gopher-quality.words",
    ]) {
      expect(text).toContain(part);
    }

    const poor = renderStory(await documentStory(store, "npm:poor@1.2.3/README.md"));
    expect(poor).toContain("Verdict     rejected");
    expect(poor).toMatch(/against {3}filter: \S+ is [\d.]+, expected .*reason of record/);
    expect(poor).toMatch(/✗ \S+ +[\d.]+ {3}asked for: /);

    const copy = await documentStory(store, "near.md");
    expect(copy.row.kept).toBe(false);
    expect(copy.duplicates[0]).toMatchObject({ kept: true });
    const closed = renderStory(await documentStory(store, "npm:closed@1.2.3/README.md"));
    expect(closed).toContain("licence: licence.review");

    await expect(documentStory(store, "README.md")).rejects.toThrow(/fits several documents/);
    await expect(documentStory(store, "nowhere.md")).rejects.toThrow(/no document has the id or path/);
  });

  it("draws samples that depend on the seed alone", async () => {
    const draw = (seed: number) => sampleDocuments(store, { count: 3, seed });
    expect(await draw(1)).toEqual(await draw(1));
    expect((await draw(1)).map(({ id }) => id)).not.toEqual((await draw(2)).map(({ id }) => id));
    const rejected = await sampleDocuments(store, { count: 9, seed: 1, kept: false, reason: "duplicate" });
    expect(rejected).toHaveLength(2);
    await expect(sampleDocuments(store, { count: 1, seed: 1, reason: "nothing" })).rejects.toThrow(/no document fits/);
  });
});
