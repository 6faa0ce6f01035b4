/** The planner: what is needed on the left, what follows from it below. */
import type { NeedField, PlanForm, PlanView } from "../../protocol.ts";
import { element, fill, select } from "../dom.ts";
import { getJson } from "../state.ts";
import type { View } from "../view.ts";

export const plan: View = {
  name: "plan",
  title: "Plan",
  runs: "none",
  open() {
    const content = element("div", {});
    let begun = false;
    return {
      node: element(
        "div",
        {},
        element("h1", {}, "Plan: from scratch, continue, fine-tune, retrieve or hosted"),
        content,
      ),
      async refresh() {
        if (begun) return;
        begun = true;
        const form = await getJson<PlanForm>("/api/plan");
        const names = Object.keys(form.examples);
        begin(content, form, names[0]);
      },
    };
  },
};

function begin(content: HTMLElement, form: PlanForm, example: string): void {
  const values: Record<string, string | number> = { ...form.examples[example] };
  const answer = element("div", {});
  const ask = async () => {
    try {
      const query = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)]));
      const { recommendation } = await getJson<PlanView>(`/api/plan/answer?${query}`);
      fill(
        answer,
        element("p", { class: "result", role: "status" }, recommendation),
        element("iframe", { title: "The plan", class: "page", sandbox: "", src: `/api/plan/page?${query}` }),
      );
    } catch (error) {
      fill(answer, element("p", { class: "error", role: "alert" }, (error as Error).message));
    }
  };
  const change = (name: string, value: string) => {
    if (value.trim() === "") delete values[name];
    else values[name] = Number.isNaN(Number(value)) ? value : Number(value);
    void ask();
  };
  fill(
    content,
    element(
      "p",
      {},
      "Prices and speeds are those of the packaged catalogue; ",
      element("code", {}, "tilth plan --catalogue"),
      " takes your own.",
    ),
    select(
      "Begin with the needs of",
      Object.keys(form.examples).map((one) => [one, one] as const),
      example,
      (one) => begin(content, form, one),
    ),
    element(
      "form",
      { class: "needs", "aria-label": "Needs", onsubmit: (event) => event.preventDefault() },
      ...form.fields.map((field) => input(field, values[field.name], (value) => change(field.name, value))),
    ),
    answer,
  );
  void ask();
}

function input(
  { name, describe, choices }: NeedField,
  value: string | number | undefined,
  change: (value: string) => void,
): HTMLElement {
  const hint = describe === "" ? null : element("small", { id: `need-${name}` }, describe);
  const described = hint === null ? {} : { "aria-describedby": `need-${name}` };
  const field =
    choices === undefined
      ? element("input", {
          ...described,
          type: "number",
          min: 0,
          step: "any",
          value,
          onchange: (event) => change((event.target as HTMLInputElement).value),
        })
      : element(
          "select",
          { ...described, onchange: (event) => change((event.target as HTMLSelectElement).value) },
          ...choices.map((one) => element("option", { value: one, selected: one === value }, one)),
        );
  return element("div", { class: "need" }, element("label", {}, element("span", {}, name), field), hint);
}
