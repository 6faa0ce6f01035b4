/** A model that was dropped on the page: what it is and what it holds. */
import { element, fill, table } from "../dom.ts";
import { figure, percent, words } from "../figures.ts";
import type { View } from "../view.ts";

/** What an inspection tells, as far as it is shown (`ModelInspection` of the jobs). */
interface Inspection {
  readonly path: string;
  readonly format: string;
  readonly architecture?: string;
  readonly parameters: number;
  readonly tensors: number;
  readonly types: Readonly<Record<string, number>>;
  readonly memoryBytes: Readonly<Record<string, number>>;
  readonly configuration?: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
  readonly stage: string;
  readonly confidence: number;
  readonly evidence: readonly { readonly kind: string; readonly finding: string }[];
  readonly licences: readonly { readonly licence: string; readonly share: number }[];
  readonly missing: readonly string[];
}

let inspection: Inspection | undefined;

/** Puts a model into the view. */
export function showModel(found: Readonly<Record<string, unknown>>): void {
  inspection = found as unknown as Inspection;
}

export const opened: View = {
  name: "open",
  title: "Open",
  runs: "none",
  open(_, redraw) {
    const content = element("div", {});
    const choose = element("input", {
      ...{ type: "file", multiple: true, id: "files" },
      onchange: () => {
        document.dispatchEvent(new CustomEvent("tilth-open", { detail: [...(choose.files ?? [])] }));
        redraw();
      },
    });
    return {
      node: element(
        "div",
        {},
        element("h1", {}, "Open a log or a model"),
        element(
          "p",
          {},
          "Drop a log.jsonl, a .safetensors or .gguf file, or the folder of a run or a checkpoint anywhere on this page, or choose files. Nothing leaves this machine; of weights only the header is read.",
        ),
        element("p", {}, element("label", { for: "files" }, "Files "), choose),
        content,
      ),
      refresh() {
        fill(content, ...(inspection === undefined ? [] : describe(inspection)));
      },
    };
  },
};

function describe(model: Inspection): HTMLElement[] {
  const { evidence, licences, missing, problems, configuration = {} } = model;
  const facts: [string, string][] = [
    ["format", model.format],
    ["architecture", model.architecture ?? "–"],
    ["parameters", figure(model.parameters)],
    ["tensors", String(model.tensors)],
    ...Object.entries(model.types).map(([type, count]): [string, string] => [`of type ${type}`, figure(count)]),
    ...Object.entries(model.memoryBytes).map(([use, bytes]): [string, string] => [
      `memory ${words(use)}`,
      `${figure(bytes)}B`,
    ]),
    ...Object.entries(configuration)
      .filter(([, value]) => typeof value !== "object")
      .map(([name, value]): [string, string] => [words(name), String(value)]),
  ];
  const list = (title: string, items: readonly string[]) =>
    items.length === 0
      ? []
      : [element("h3", {}, title), element("ul", {}, ...items.map((one) => element("li", {}, one)))];
  return [
    element("h2", {}, model.path),
    element(
      "p",
      { class: "result" },
      model.stage === "unknown" ? "Base or instruct: not known" : `${model.stage}, ${percent(model.confidence)} sure`,
    ),
    ...list(
      "Why",
      evidence.map(({ kind, finding }) => `${kind}: ${finding}`),
    ),
    ...list("What does not fit", problems),
    table("What it is", ["what", "value"], facts),
    ...(licences.length === 0
      ? []
      : [
          table(
            "Licences of what trained it",
            ["licence", "share"],
            licences.map(({ licence, share }) => [licence, percent(share)]),
          ),
        ]),
    ...list("What its card leaves out", missing),
  ];
}
