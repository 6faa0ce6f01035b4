/** A plan as one HTML page: recommendation, table, what would change it, and plots. No scripts, no other files. */
import { escapeHtml } from "../foundation/index.ts";
import { plotSvg } from "../plots/index.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Needs } from "./needs.ts";
import type { Plan } from "./plan.ts";
import type { StepEstimate } from "./step.ts";
import { waysOf } from "./ways.ts";

const partColours = { people: "#4269d0", training: "#efb118", use: "#6cc5b0" };
/** Of the ways whose loss depends on the text that there is. */
const wayColours = { scratch: "#4269d0", continue: "#ff725c", "fine-tune": "#efb118", retrieval: "#6cc5b0" };

/** The page's HTML. */
export async function planPage(
  plan: Plan,
  steps: readonly StepEstimate[],
  needs: Needs,
  catalogue: Catalogue,
): Promise<string> {
  const { recommendation, reasons, ways, sensitivity, currency, catalogueDate } = plan;
  const rows = ways.map(({ name, model, loss, cost, weeks, latencySeconds, memoryBytes, fails }) => [
    name === recommendation?.name ? `<strong>${name}</strong>` : name,
    escapeHtml(model),
    loss.toFixed(2),
    ...[cost.people, cost.training, cost.use, cost.total].map(amount),
    weeks.toFixed(1),
    latencySeconds.toFixed(1),
    memoryBytes === null ? "–" : figure(memoryBytes / 1e9),
    fails.length === 0 ? "meets all" : escapeHtml(fails.join("; ")),
  ]);
  const flips = sensitivity.map(({ need, from, to, direction, recommendation: other }) => [
    need,
    figure(from),
    `${direction ?? ""} ${figure(to)}`,
    other ?? "none",
  ]);
  const head = [
    "way",
    "model",
    "loss",
    "people",
    "training",
    "use",
    "total",
    "weeks",
    "seconds",
    "memory, GB",
    "requirements",
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plan</title>
<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem}
svg{border-radius:8px;max-width:100%;height:auto}table{border-collapse:collapse;margin:1rem 0}td,th{border-bottom:1px solid #8886;padding:.3rem .6rem;text-align:left;vertical-align:top}
td.number{text-align:right;font-variant-numeric:tabular-nums}</style>
</head>
<body>
<main>
<h1>${recommendation === null ? "No way meets all requirements" : `Recommended: ${recommendation.name} (${escapeHtml(recommendation.model)})`}</h1>
<ul>${reasons.map((reason) => `<li>${escapeHtml(reason)}</li>`).join("")}${(recommendation?.risks ?? []).map((risk) => `<li>risk: ${escapeHtml(risk)}</li>`).join("")}</ul>
<p>Costs in ${escapeHtml(currency)} over ${needs.months} months, by a catalogue of ${catalogueDate}: check its figures before you decide. Losses are
forecasts in nats a token, for comparison only.</p>
${table(head, rows)}
<h2>Costs</h2>
${legend(partColours)}
${await costPlot(plan)}
<h2>Forecast loss by the domain text there is</h2>
${legend(wayColours)}
${await lossPlot(needs, catalogue)}
<h2>A step of training</h2>
<p>Forecast as <code>tilth train</code> does before its first step: a Llama of that size, AdamW, bf16, on one ${escapeHtml(needs.device)}.
<code>tilth train</code> says memory and time again with rates that it measures, and at the end what they were.</p>
${table(
  ["way", "model", "layers × width", "batch", "memory, GB", "seconds", "tokens a second", "fits one device"],
  steps.map(stepCells),
)}
<h2>What would change the recommendation</h2>
${table(["need", "now", "changes", "then"], flips)}
<h2>Needs</h2>
${table(
  ["need", "value"],
  Object.entries(needs).map(([name, value]) => [name, figure(value)]),
)}
</main>
</body>
</html>
`;
}

function stepCells({ way, model, configuration, training, memoryBytes, seconds, tokensPerSecond, fits }: StepEstimate) {
  const { batchSequences, sequenceLength, microBatchSequences } = training;
  return [
    ...[way, escapeHtml(model), `${configuration.layers} × ${configuration.width}`],
    `${batchSequences} × ${sequenceLength} in micro-batches of ${microBatchSequences}`,
    ...[memoryBytes / 1e9, seconds, tokensPerSecond].map(figure),
    fits ? "yes" : "no",
  ];
}

function costPlot({ ways, currency }: Plan): Promise<string> {
  const parts = ways.flatMap(({ name, cost }) =>
    (["people", "training", "use"] as const).map((part) => ({ way: name, part, amount: cost[part] })),
  );
  return plotSvg("Costs of each way: people, training, use; the table above has the figures", (plot) => ({
    width: 720,
    height: 240,
    marginLeft: 80,
    x: { label: currency, grid: true, tickFormat: "~s" },
    y: { label: null, domain: ways.map(({ name }) => name) },
    color: { domain: Object.keys(partColours), range: Object.values(partColours) },
    marks: [plot.barX(parts, { x: "amount", y: "way", fill: "part", title: "part" }), plot.ruleX([0])],
  }));
}

function lossPlot(needs: Needs, catalogue: Catalogue): Promise<string> {
  const shown = Object.keys(wayColours);
  const points = Array.from({ length: 41 }, (_, index) => needs.domainTokens * 10 ** ((index - 20) / 10)).flatMap(
    (domainTokens) => {
      const ways = waysOf({ ...needs, domainTokens }, catalogue);
      return shown.flatMap((way) => {
        const losses = ways.filter(({ name, devices }) => name === way && devices > 0).map(({ loss }) => loss);
        return losses.length === 0 ? [] : [{ way, domainTokens, loss: Math.min(...losses) }];
      });
    },
  );
  return plotSvg("Forecast loss of each way by the domain text there is", (plot) => ({
    width: 720,
    height: 320,
    x: { type: "log", label: "tokens of domain text", tickFormat: "~s" },
    y: { type: "log", label: "forecast loss, nats a token", grid: true, tickFormat: "~g" },
    color: { domain: shown, range: Object.values(wayColours) },
    marks: [
      plot.ruleX([needs.domainTokens], { strokeDasharray: "3,3" }),
      plot.line(points, { x: "domainTokens", y: "loss", stroke: "way" }),
    ],
  }));
}

function legend(colours: Readonly<Record<string, string>>): string {
  const entries = Object.entries(colours).map(([name, colour]) => `<span style="color:${colour}">■</span> ${name}`);
  return `<p>${entries.join("&ensp;")}</p>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}${/^[\d.,]+$/.test(cell) ? ' class="number"' : ""}>${cell}</${tag}>`).join("")}</tr>`;
  return `<table>${row(head, "th")}${rows.map((cells) => row(cells, "td")).join("")}</table>`;
}

function amount(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function figure(value: number | string): string {
  return typeof value === "string" ? escapeHtml(value) : Number(value.toPrecision(3)).toLocaleString("en-US");
}
