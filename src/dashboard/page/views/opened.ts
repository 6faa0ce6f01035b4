/** A model that was dropped on the page: what it is and what it holds. */
import { element, fill, table } from "../dom.ts";
import { figure, percent, words } from "../figures.ts";
import type { View } from "../view.ts";

/** Parts of what an inspection tells, as the server sends it. */
interface Inspection {
  readonly path?: string;
  readonly stage?: string;
  readonly confidence?: number;
  readonly evidence?: readonly {
    readonly says?: string;
    readonly because?: string;
    readonly [name: string]: unknown;
  }[];
  readonly licences?: readonly { readonly licence: string; readonly share: number }[];
  readonly missing?: readonly string[];
  readonly tensors?: readonly { readonly name: string; readonly type?: string; readonly shape?: readonly number[] }[];
  readonly [name: string]: unknown;
}

let inspection: Inspection | undefined;

/** Puts a model into the view. */
export function showModel(found: Readonly<Record<string, unknown>>): void {
  inspection = found;
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

function describe({
  path,
  stage,
  confidence,
  evidence = [],
  licences = [],
  missing = [],
  tensors = [],
  ...rest
}: Inspection): HTMLElement[] {
  const plain = Object.entries(rest).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  return [
    element("h2", {}, path ?? "The model"),
    element(
      "p",
      { class: "result" },
      `${stage ?? "unknown"}${confidence === undefined ? "" : `, ${percent(confidence)} sure`}`,
    ),
    table(
      "What it is",
      ["what", "value"],
      plain.map(([name, value]) => [words(name), typeof value === "number" ? figure(value) : String(value)]),
    ),
    ...(evidence.length === 0
      ? []
      : [
          element("h3", {}, "Why"),
          element(
            "ul",
            {},
            ...evidence.map((one) =>
              element(
                "li",
                {},
                Object.values(one)
                  .filter((value) => typeof value === "string")
                  .join(": "),
              ),
            ),
          ),
        ]),
    ...(licences.length === 0
      ? []
      : [
          table(
            "Licences of what trained it",
            ["licence", "share"],
            licences.map(({ licence, share }) => [licence, percent(share)]),
          ),
        ]),
    ...(missing.length === 0
      ? []
      : [
          element("h3", {}, "What its card leaves out"),
          element("ul", {}, ...missing.map((one) => element("li", {}, one))),
        ]),
    ...(tensors.length === 0
      ? []
      : [
          table(
            `${tensors.length} tensors`,
            ["tensor", "type", "shape"],
            tensors.slice(0, 500).map(({ name, type = "", shape = [] }) => [name, type, shape.join(" × ")]),
          ),
        ]),
  ];
}
