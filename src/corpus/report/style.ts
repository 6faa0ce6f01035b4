/** The style sheet of the HTML report. */
export const style = `
:root { color-scheme: light dark; --ink: #1d2320; --soft: #5c6660; --line: #d9dfdb; --paper: #fbfcfb; --green: #2f7d4f; --track: #e6ebe7;
  --series-1: #2f7d4f; --series-2: #3b6fb6; --series-3: #b4662a; --series-4: #8a4f9e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9e6; --soft: #98a39c; --line: #323a35; --paper: #151917; --green: #5fb885; --track: #2a322d;
    --series-1: #5fb885; --series-2: #7aa7e8; --series-3: #e29a5c; --series-4: #c18bd6; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
.note, .path, summary { color: var(--soft); }
.note { overflow-wrap: anywhere; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.5rem 0; }
.figures dt { color: var(--soft); }
.figures dd { margin: 0; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
.figures small { display: block; font-size: .85rem; color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; overflow-wrap: anywhere; }
th { font-weight: 600; color: var(--soft); }
.bar { display: inline-block; width: 6rem; height: .6rem; background: var(--track); border-radius: .3rem; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--green); }
.share { display: inline-block; min-width: 3.2rem; }
svg { max-width: 100%; height: auto; display: block; }
td svg { width: 180px; height: 56px; }
details { margin: .5rem 0; }
`;
