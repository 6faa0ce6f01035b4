/** Ladders of small models and the law through them. */
import type { LadderView } from "../../protocol.ts";
import { element, fill, table } from "../dom.ts";
import { figure } from "../figures.ts";
import { getJson } from "../state.ts";
import type { View } from "../view.ts";

export const scaling: View = {
  name: "scaling",
  title: "Scaling",
  runs: "none",
  open(state) {
    const content = element("div", {});
    let shown = "";
    return {
      node: element("div", {}, element("h1", {}, "Scaling laws"), content),
      async refresh() {
        const { ladders } = state.overview;
        const key = ladders.map(({ id }) => id).join();
        if (key === shown && key !== "") return;
        shown = key;
        if (ladders.length === 0) {
          fill(
            content,
            element(
              "p",
              {},
              "There is no ladder in these folders. ",
              element("code", {}, "tilth scale run"),
              " trains one and writes its table, ladder.csv.",
            ),
          );
          return;
        }
        const parts = await Promise.all(
          ladders.map(async ({ id, name }) => {
            const { columns, rows, law } = await getJson<LadderView>(`/api/ladders/${id}`);
            return element(
              "section",
              { class: "card" },
              element("h2", {}, name),
              law === null ? null : element("p", {}, law),
              element("img", {
                src: `/api/ladders/${id}/plot.svg`,
                alt: `Loss over training tokens of ${rows.length} models, with the law through them; the table below has the same figures`,
                class: "plot-image",
              }),
              table(
                `Models of ${name}`,
                columns,
                rows.map((row) =>
                  row.map((cell) => (cell !== "" && Number.isFinite(Number(cell)) ? figure(Number(cell)) : cell)),
                ),
              ),
            );
          }),
        );
        fill(content, ...parts);
      },
    };
  },
};
