/** Views that show a page which Tilth writes: the data report, the lineage. */
import { element, fill, select } from "../dom.ts";
import type { View } from "../view.ts";

function frame(title: string, address: string): HTMLElement {
  return element("iframe", { title, src: address, class: "page", sandbox: "" });
}

export const dataReport: View = {
  name: "data",
  title: "Data",
  runs: "one",
  open(state) {
    const content = element("div", {});
    let shown = "";
    return {
      node: element("div", {}, element("h1", {}, "Data report"), content),
      refresh() {
        const [id] = state.chosen;
        const run = state.overview.runs.find((one) => one.id === id);
        const key = `${id} ${run?.hasReport}`;
        if (key === shown) return;
        shown = key;
        if (run === undefined) fill(content, element("p", {}, "There is no run here yet."));
        else if (run.hasReport) {
          const address = `/api/runs/${id}/report`;
          fill(
            content,
            element("p", {}, element("a", { href: address, target: "_blank" }, "Open the report alone")),
            frame(`Data report of ${run.name}`, address),
          );
        } else {
          fill(
            content,
            element("p", {}, "This run has no data report: runs over text have one, once their corpus is built."),
          );
        }
      },
    };
  },
};

export const lineage: View = {
  name: "lineage",
  title: "Lineage",
  runs: "one",
  open(state) {
    const content = element("div", {});
    let shown = "";
    const show = (id: string, checkpoint: string) => {
      const name = state.nameOf(id);
      const { checkpoints } = state.overview.runs.find((one) => one.id === id)!;
      const address = `/api/runs/${id}/lineage/${checkpoint}`;
      fill(
        content,
        element(
          "p",
          {},
          select(
            "Checkpoint",
            checkpoints.toReversed().map((one) => [one, one] as const),
            checkpoint,
            (one) => show(id, one),
          ),
          " ",
          element("a", { href: address, target: "_blank" }, "Open it alone"),
        ),
        frame(`Lineage of ${name}, ${checkpoint}`, address),
      );
    };
    return {
      node: element("div", {}, element("h1", {}, "Lineage"), content),
      refresh() {
        const [id] = state.chosen;
        const run = state.overview.runs.find((one) => one.id === id);
        const key = `${id} ${run?.checkpoints.join()}`;
        if (key === shown) return;
        shown = key;
        const last = run?.checkpoints.at(-1);
        if (last === undefined)
          fill(content, element("p", {}, "A lineage begins with a run's first checkpoint; there is none here yet."));
        else show(id, last);
      },
    };
  },
};
