/** A lineage graph as one HTML page: artefacts, commands and what they used, laid out from raw files to the checkpoint. */
import { escapeHtml } from "../foundation/index.ts";
import type { LineageGraph } from "./graph.ts";

const size = { artefact: { width: 260, height: 58 }, activity: { width: 200, height: 44 } };

const style = `:root{color-scheme:light dark;--ink:#222;--paper:#fff;--line:#888;--box:#eef3fb;--do:#f7efdf;--gone:#b00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#16181c;--line:#888;--box:#23304a;--do:#4a3d22;--gone:#ff8a80}}
body{font:15px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:var(--ink);background:var(--paper)}
svg{max-width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:var(--ink)}svg .small{font-size:11px}svg .gone{fill:var(--gone)}
rect{stroke:var(--line)}.artefact rect{fill:var(--box)}.activity rect{fill:var(--do)}path{fill:none;stroke:var(--line)}marker path{fill:var(--line)}
table{border-collapse:collapse}td,th{border-bottom:1px solid #8884;padding:.3rem .6rem;text-align:left;vertical-align:top}code{font-size:.85em;word-break:break-all}`;

/** The page. It loads nothing and runs no script; what the graph shows stands below it as tables too. */
export async function lineagePage(graph: LineageGraph): Promise<string> {
  const { artefacts, activities, uses } = graph;
  const root = artefacts.find(({ id }) => id === graph.root)!;
  const commandOf = new Map(activities.map(({ id, command }) => [id, command]));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Lineage of ${escapeHtml(root.name)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Where ${escapeHtml(root.name)} comes from</h1>
${await drawing(graph)}
<h2>Artefacts</h2>
<table><tr><th>artefact</th><th>kind</th><th>made by</th><th>SHA-256</th></tr>
${artefacts
  .map(
    ({ name, kind, madeBy, contents, present }) =>
      `<tr><td>${escapeHtml(name)}${present ? "" : " (not here)"}</td><td>${kind}</td><td>${madeBy === undefined ? "from outside" : `tilth ${escapeHtml(commandOf.get(madeBy)!)}`}</td><td><code>${contents}</code></td></tr>`,
  )
  .join("\n")}
</table>
<h2>Commands</h2>
<table><tr><th>command</th><th>version</th><th>used</th><th>settings</th></tr>
${activities
  .map(({ id, command, tilth, details }) => {
    const used = uses
      .filter(({ activity }) => activity === id)
      .map(({ artefact, role }) => `${role}: ${artefacts.find((one) => one.id === artefact)!.name}`);
    return `<tr><td>tilth ${escapeHtml(command)}</td><td>${escapeHtml(tilth)}</td><td>${used.map(escapeHtml).join("<br>")}</td><td><code>${escapeHtml(JSON.stringify(details))}</code></td></tr>`;
  })
  .join("\n")}
</table>
</main>
</body>
</html>
`;
}

/** Boxes and arrows as one SVG, ranks from left to right. */
async function drawing({ artefacts, activities, uses }: LineageGraph): Promise<string> {
  const { Graph, layout } = await import("@dagrejs/dagre");
  const graph = new Graph().setGraph({ rankdir: "LR", nodesep: 18, ranksep: 46, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of artefacts) graph.setNode(id, { ...size.artefact });
  for (const { id } of activities) graph.setNode(id, { ...size.activity });
  for (const { artefact, activity } of uses) graph.setEdge(artefact, activity);
  for (const { id, madeBy } of artefacts) if (madeBy !== undefined) graph.setEdge(madeBy, id);
  layout(graph);
  const box = (id: string, kind: keyof typeof size, lines: readonly string[]) => {
    const { x, y } = graph.node(id) as { x: number; y: number };
    const { width, height } = size[kind];
    return `<g class="${kind}" transform="translate(${x - width / 2} ${y - height / 2})"><rect width="${width}" height="${height}" rx="${kind === "activity" ? 20 : 4}"/>${lines.join("")}</g>`;
  };
  const text = (y: number, words: string, name = "") =>
    `<text x="12" y="${y}" class="${name}">${escapeHtml(words.length > 38 ? `…${words.slice(-37)}` : words)}</text>`;
  const arrows = graph.edges().map((edge: { v: string; w: string }) => {
    const { points } = graph.edge(edge) as { points: { x: number; y: number }[] };
    return `<path d="M${points.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}" marker-end="url(#end)"/>`;
  });
  const { width, height } = graph.graph() as { width: number; height: number };
  return `<svg viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" width="${Math.ceil(width)}" role="img" aria-label="Artefacts and the commands that made them">
<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>
${arrows.join("\n")}
${artefacts.map(({ id, kind, name, contents, present }) => box(id, "artefact", [text(22, name), text(42, `${kind} ${contents.slice(0, 12)}`, "small"), ...(present ? [] : [`<text x="190" y="42" class="small gone">not here</text>`])])).join("\n")}
${activities.map(({ id, command, tilth }) => box(id, "activity", [text(19, `tilth ${command}`), text(35, `version ${tilth}`, "small")])).join("\n")}
</svg>`;
}
