/** What evaluations found of the chosen runs' checkpoints, each figure with its interval. */
import type { EvaluationView } from "../../protocol.ts";
import { element, fill, table } from "../dom.ts";
import { figure, words } from "../figures.ts";
import type { View } from "../view.ts";

export const evaluation: View = {
  name: "evaluation",
  title: "Evaluation",
  runs: "several",
  open(state) {
    const content = element("div", {});
    return {
      node: element("div", {}, element("h1", {}, "Evaluation"), content),
      async refresh() {
        const found = await Promise.all(
          state.chosen.map(async (id) => {
            const { evaluations } = await state.runDetails(id, state.runData(id).notes, true);
            return evaluations.map((one) => ({ ...one, run: state.nameOf(id) }));
          }),
        );
        const all = found.flat();
        if (all.length === 0) {
          fill(
            content,
            element(
              "p",
              {},
              "Nothing was evaluated yet. What ",
              element("code", {}, "tilth eval"),
              " finds of a run's checkpoint is kept in the run's folder and shown here.",
            ),
          );
          return;
        }
        const names = [...new Set(all.map(({ name }) => name))];
        fill(
          content,
          ...names.map((name) =>
            comparison(
              name,
              all.filter((one) => one.name === name),
            ),
          ),
        );
      },
    };
  },
};

/** One kind of evaluation: a row for each checkpoint, a column for each figure. */
function comparison(name: string, found: readonly (EvaluationView & { readonly run: string })[]): HTMLElement {
  const rows = found.map((one) => ({ one, figures: new Map(figuresOf(one.result)) }));
  const columns = [...new Set(rows.flatMap(({ figures }) => [...figures.keys()]))];
  return element(
    "section",
    { class: "card" },
    element("h2", {}, name[0].toUpperCase() + name.slice(1)),
    table(
      `${name} by checkpoint, 95 % intervals in brackets`,
      ["run, checkpoint", ...columns.map(words)],
      rows.map(({ one, figures }) => [
        `${one.run}, ${one.checkpoint}`,
        ...columns.map((column) => figures.get(column) ?? "–"),
      ]),
    ),
    element(
      "details",
      {},
      element("summary", {}, "Settings and all that was found"),
      ...found.map((one) =>
        element(
          "pre",
          { tabindex: 0, role: "region", "aria-label": `${name} of ${one.checkpoint}, everything` },
          JSON.stringify({ created: one.created, settings: one.settings, result: one.result }, null, 2),
        ),
      ),
    ),
  );
}

/** Figures of a result by name: numbers, and estimates `{ value, interval }`; one level of nesting is named `outer inner`. */
function figuresOf(result: Readonly<Record<string, unknown>>, prefix = ""): [string, string][] {
  return Object.entries(result).flatMap(([name, value]): [string, string][] => {
    const full = `${prefix}${name}`;
    if (name.endsWith("Interval") || name === "parts" || name === "groups" || name === "seed") return [];
    if (typeof value === "number") {
      const interval = result[`${name}Interval`];
      return [[full, figure(value) + intervalText(interval)]];
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
    const { value: estimate, interval } = value as { value?: unknown; interval?: unknown };
    if (typeof estimate === "number") return [[full, figure(estimate) + intervalText(interval)]];
    return prefix === "" ? figuresOf(value as Record<string, unknown>, `${name} `) : [];
  });
}

function intervalText(interval: unknown): string {
  if (!Array.isArray(interval) || interval.length !== 2) return "";
  return ` [${interval.map((one) => figure(Number(one))).join(", ")}]`;
}
