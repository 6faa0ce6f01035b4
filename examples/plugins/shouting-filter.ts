/**
 * A filter of your own: text that shouts. It is measured for every document; the threshold can be another one in the settings.
 *   tilth data build --folder notes --plugin examples/plugins/shouting-filter.ts
 */
import { atMost, defineFilter, registerFilter } from "tilth";

registerFilter(
  defineFilter({
    name: "shouting",
    kinds: ["web", "prose"],
    source: "an example",
    measures: {
      capitals: "share of the letters that are capitals",
      exclamationMarks: "exclamation marks in a row, at most",
    },
    thresholds: { capitals: atMost(0.3), exclamationMarks: atMost(5) },
    measure({ text }) {
      const letters = text.match(/\p{L}/gu)?.length ?? 0;
      const capitals = text.match(/\p{Lu}/gu)?.length ?? 0;
      const runs = text.match(/!+/g) ?? [];
      return {
        capitals: letters === 0 ? 0 : capitals / letters,
        exclamationMarks: Math.max(0, ...runs.map((run) => run.length)),
      };
    },
  }),
);
