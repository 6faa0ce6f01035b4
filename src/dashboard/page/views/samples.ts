/** What a run wrote after the same beginnings as it learned, and what its guards noticed. */
import type { Note } from "../../protocol.ts";
import { element, fill, table } from "../dom.ts";
import { figure } from "../figures.ts";
import type { State } from "../state.ts";
import type { OpenView, View } from "../view.ts";

export const samples: View = {
  name: "samples",
  title: "Samples",
  runs: "several",
  open(state): OpenView {
    const content = element("div", {});
    const node = element("div", {}, element("h1", {}, "Samples through time"), content);
    return {
      node,
      async refresh() {
        const parts = await Promise.all(state.chosen.map((id) => samplesOf(state, id)));
        fill(content, ...parts.flat());
      },
    };
  },
};

async function samplesOf(state: State, id: string): Promise<HTMLElement[]> {
  const data = state.runData(id);
  await data.update();
  const { notes } = await state.runDetails(id, data.notes);
  const heading = element("h2", {}, state.nameOf(id));
  const written = notes.filter((one): one is Extract<Note, { kind: "sample" }> => one.kind === "sample");
  const prompts = [...new Set(written.map(({ prompt }) => prompt))];
  const noticed = notes.filter((one) => one.kind !== "sample");
  return [
    heading,
    ...(prompts.length === 0
      ? [
          element(
            "p",
            {},
            "This run writes no samples. Set training.samples.prompts in its configuration, and a text model writes at every validation.",
          ),
        ]
      : prompts.map((prompt) =>
          ofPrompt(
            prompt,
            written.filter((one) => one.prompt === prompt),
          ),
        )),
    ...(noticed.length === 0
      ? []
      : [
          table(
            "What the run noticed",
            ["step", "what", "why"],
            noticed.map((one) =>
              one.kind === "guard"
                ? [one.step, one.action, one.reason]
                : [one.step, "ended early", `best loss ${figure((one as { bestLoss: number }).bestLoss)}`],
            ),
          ),
        ]),
  ];
}

function ofPrompt(prompt: string, written: readonly Extract<Note, { kind: "sample" }>[]): HTMLElement {
  return element(
    "section",
    { class: "card" },
    element("h3", {}, "After ", element("code", {}, prompt === "" ? "(the beginning of a document)" : prompt.trim())),
    element(
      "ol",
      { class: "samples" },
      ...written
        .toReversed()
        .map(({ step, text }) =>
          element(
            "li",
            {},
            element("span", { class: "step" }, `step ${step}`),
            element("pre", {}, element("mark", {}, prompt), text),
          ),
        ),
    ),
  );
}
