/** Elements of the page, made without text ever becoming markup. */

type Attribute = string | number | boolean | null | undefined | ((event: Event) => void);
type Child = Node | string | number | null | undefined | false;

/** An element. A function becomes a listener for the event that its name says: `onclick`. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, Attribute>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.replace(/^on/, ""), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...kept(children));
  return made;
}

/** Puts children in the place of what is there. */
export function fill(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(...kept(children));
}

function kept(children: readonly Child[]): (Node | string)[] {
  return children.flatMap((one) =>
    one === null || one === undefined || one === false ? [] : [typeof one === "number" ? String(one) : one],
  );
}

/** A table; columns whose cells are all numbers stand to the right. */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): HTMLElement {
  const isNumber = (cell: string | number) => typeof cell === "number" || /^[-+]?[\d.,]+[kMGT]?( ?%)?$/.test(cell);
  const numeric = columns.map((_, column) => rows.length > 0 && rows.every((row) => isNumber(row[column] ?? "")));
  const cell = (text: string | number, column: number) =>
    column === 0
      ? element("th", { scope: "row", class: numeric[0] ? "number" : null }, text)
      : element("td", { class: numeric[column] ? "number" : null }, text);
  return element(
    "div",
    { class: "scrolls", tabindex: 0, role: "region", "aria-label": caption },
    element(
      "table",
      {},
      element("caption", {}, caption),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ...columns.map((one, column) =>
            element("th", { scope: "col", class: numeric[column] ? "number" : null }, one),
          ),
        ),
      ),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell)))),
    ),
  );
}

/** A choice among named values. */
export function select(
  label: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: string | undefined,
  choose: (value: string) => void,
): HTMLElement {
  const list = element(
    "select",
    { onchange: () => choose(list.value) },
    ...options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)),
  );
  return element("label", {}, `${label} `, list);
}
