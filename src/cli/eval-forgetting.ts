import { resolve } from "node:path";
import { UsageError } from "../foundation/index.ts";
import {
  type ForgettingReport,
  forgettingHeading,
  forgettingReport,
  readRunDescription,
  writeForgettingReport,
} from "../jobs/index.ts";
import { plotSvg } from "../plots/index.ts";
import type { Command } from "./command.ts";
import { formatBytes, formatCount, interruptSignal, progressLine, say } from "./terminal.ts";
import { watchTraining } from "./training-progress.ts";

/** `tilth eval forgetting` */
export const forgetting: Command = {
  summary: "a continued run: domain and general text before and after, beside training from scratch",
  usage: "<run folder> [options]",
  options: {
    general: {
      describe: "corpus of general text; what was replayed, or the base run's, if left out",
      placeholder: "folder",
    },
    domain: { describe: "corpus of domain text; the run's own if left out", placeholder: "folder" },
    "without-scratch": { describe: "train no model from scratch for comparison" },
    "without-card": { describe: "leave the checkpoint's model card as it is" },
    bytes: { describe: "held-out text of each corpus that is scored at most; all if left out", placeholder: "count" },
    json: { describe: "print one JSON object" },
  },
  examples: ["tilth eval forgetting runs/adapted", "tilth eval forgetting runs/adapted --json > forgetting.json"],
  async run(input) {
    const [folder] = input.positionals;
    if (folder === undefined) {
      throw new UsageError("the folder of a continued run is needed", { remedy: "See: tilth eval forgetting --help" });
    }
    const runFolder = resolve(folder);
    const [general, domain] = [input.text("general"), input.text("domain")];
    const progress = progressLine();
    const watch = watchTraining(Number(readRunDescription(runFolder).training.steps), false);
    if (!input.flag("without-scratch")) say("From scratch, at equal compute (a run that was interrupted goes on)");
    const report = await forgettingReport(runFolder, {
      general: general && resolve(general),
      domain: domain && resolve(domain),
      fromScratch: !input.flag("without-scratch"),
      maximumBytes: input.number("bytes", { minimum: 1, whole: true }),
      onScoring: progress.update,
      onTraining: watch.listen,
      signal: interruptSignal("stopping; the same command goes on from here"),
    });
    progress.end();
    await writeForgettingReport(report, await plot(report), input.flag("without-card") ? undefined : markdown(report));
    if (input.flag("json")) process.stdout.write(`${JSON.stringify(report)}\n`);
    else process.stdout.write(`${lines(report, !input.flag("without-card")).join("\n")}\n`);
  },
};

const signed = (value: number, digits: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
const percent = (share: number) => `${signed(100 * share, 2)} %`;
const within = ([low, high]: readonly [number, number], format: (value: number) => string) =>
  `95 %: ${format(low)} to ${format(high)}`;

function lines(report: ForgettingReport, inCard: boolean) {
  const { continuation, replayedTokens, domain, general, fromScratch, window, stride, run } = report;
  const { base, steps, tokens, addedTokens } = continuation;
  const row = (name: string, { first, second, difference, relative }: ForgettingReport["domain"]) =>
    `${name.padEnd(9)} ${first.value.toFixed(4)}  ${second.value.toFixed(4)}  ${signed(difference.value, 4)} (${within(difference.interval, (value) => signed(value, 4))}), ${percent(relative.value)} (${within(relative.interval, percent)})`;
  return [
    `Continued from ${base}: ${steps} steps, ${formatCount(tokens)} tokens, ${formatCount(replayedTokens)} of them replayed (${((100 * replayedTokens) / tokens).toFixed(1)} %)${addedTokens === 0 ? "" : `; ${addedTokens} tokens more in the vocabulary`}`,
    `Held-out text: domain ${domain.documents} documents (${formatBytes(domain.bytes)}), general ${general.documents} (${formatBytes(general.bytes)}); windows of ${window} tokens, stride ${stride}`,
    "",
    "Bits per byte (lower is better; intervals by bootstrap over documents, paired)",
    "          before  after   change",
    row("domain", domain),
    row("general", general),
    "",
    ...(fromScratch === null
      ? []
      : [
          `Domain, from scratch at equal compute (${fromScratch.steps} steps, learning rate ${fromScratch.learningRate}): ${fromScratch.first.value.toFixed(4)}`,
          `  continued − from scratch: ${signed(fromScratch.difference.value, 4)} (${within(fromScratch.difference.interval, (value) => signed(value, 4))}): ${verdict(fromScratch.difference.interval)}`,
        ]),
    `General text: ${general.relative.value <= 0.02 ? "within" : "NOT within"} 2 % of the base`,
    `Written: ${run}/forgetting.json, forgetting.svg${inCard ? ", and the model card of the checkpoint" : ""}`,
  ];
}

function verdict([low, high]: readonly [number, number]): string {
  if (high < 0) return "continuing is better";
  return low > 0 ? "from scratch is better" : "no difference beyond chance";
}

function markdown({ domain, general, fromScratch, window }: ForgettingReport): string {
  const row = (name: string, { first, second, relative }: ForgettingReport["domain"]) =>
    `| ${name} | ${first.value.toFixed(4)} | ${second.value.toFixed(4)} | ${percent(relative.value)} (${within(relative.interval, percent)}) |`;
  return [
    forgettingHeading,
    "",
    `Bits per byte of held-out text, windows of ${window} tokens; intervals by paired bootstrap over documents.`,
    "",
    "| text | base | this model | change |",
    "|---|---|---|---|",
    row("domain", domain),
    row("general", general),
    "",
    ...(fromScratch === null
      ? []
      : [
          `The same model from scratch at equal compute comes to ${fromScratch.first.value.toFixed(4)} on domain text; this one differs by ${signed(fromScratch.difference.value, 4)} (${within(fromScratch.difference.interval, (value) => signed(value, 4))}).`,
          "",
        ]),
  ].join("\n");
}

function plot({ curve, continuation }: ForgettingReport): Promise<string> {
  return plotSvg("Bits per byte of domain text over tokens: continued, and from scratch", (library) => ({
    width: 640,
    height: 360,
    marginRight: 90,
    x: { label: "tokens", tickFormat: "~s" },
    y: { label: "domain validation, bits per byte", grid: true },
    color: { legend: false, domain: ["continued", "from scratch"] },
    marks: [
      library.line(curve, { x: "tokens", y: "bitsPerByte", stroke: "run", marker: "dot" }),
      library.text(
        curve.filter(({ step }) => step === continuation.steps),
        { x: "tokens", y: "bitsPerByte", text: "run", fill: "run", textAnchor: "start", dx: 8 },
      ),
    ],
  }));
}
