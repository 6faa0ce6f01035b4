/** The page: its views, the runs that are compared, events from the server. */
import type { Overview } from "../protocol.ts";
import { dot } from "./chart.ts";
import { element, fill } from "./dom.ts";
import { colourOf, getJson, State } from "./state.ts";
import { type DroppedFile, filesOfDrop, openFiles } from "./upload.ts";
import type { OpenView, View } from "./view.ts";
import { evaluation } from "./views/evaluation.ts";
import { dataReport, lineage } from "./views/framed.ts";
import { opened, showModel } from "./views/opened.ts";
import { plan } from "./views/plan.ts";
import { samples } from "./views/samples.ts";
import { scaling } from "./views/scaling.ts";
import { training } from "./views/training.ts";

/** A line a view. */
const views: readonly View[] = [training, samples, dataReport, evaluation, scaling, lineage, plan, opened];

const state = new State();
const main = document.querySelector<HTMLElement>("#view")!;
const connection = document.querySelector<HTMLElement>("#connection")!;
const navigation = document.querySelector<HTMLElement>("nav")!;
const message = element("p", { class: "error", role: "alert", hidden: true });
const picker = element("div", { class: "picker" });
const content = element("div", { class: "content" });
let view: View = training;
let open: OpenView | undefined;
let isDrawing = false;
let isStale = false;

function say(text: string): void {
  message.hidden = text === "";
  fill(message, text);
}

/** Draws what changed, one pass at a time and no more than the browser shows. */
async function redraw(): Promise<void> {
  isStale = true;
  if (isDrawing) return;
  isDrawing = true;
  while (isStale) {
    isStale = false;
    await new Promise(requestAnimationFrame);
    try {
      await open?.refresh();
    } catch (error) {
      say((error as Error).message);
    }
  }
  isDrawing = false;
}

function openView(): void {
  const name = location.hash.replace(/^#\//, "");
  const chosen = views.find((one) => one.name === name) ?? training;
  if (chosen !== view || open === undefined) {
    view = chosen;
    open = view.open(state, () => void redraw());
    fill(content, open.node);
    say("");
  }
  document.title = `${view.title} · Tilth`;
  fill(
    navigation,
    ...views.map((one) =>
      element("a", { href: `#/${one.name}`, "aria-current": one === view ? "page" : null }, one.title),
    ),
  );
  drawPicker();
  void redraw();
}

/** The runs to compare, or the one to show. */
function drawPicker(): void {
  const { runs } = state.overview;
  picker.hidden = view.runs === "none";
  if (runs.length === 0) {
    fill(
      picker,
      element(
        "p",
        {},
        "No run was found. ",
        element("code", {}, "npx tilth quickstart"),
        " makes one in a few minutes; it shows up here as soon as it begins.",
      ),
    );
    return;
  }
  const { chosen } = state;
  const several = view.runs === "several";
  const shown = several ? chosen : chosen.slice(0, 1);
  const focused = (document.activeElement as HTMLInputElement | null)?.value;
  fill(
    picker,
    element(
      "fieldset",
      {},
      element("legend", {}, several ? "Runs to compare" : "Run"),
      ...runs.map(({ id, name, live }) => {
        const index = chosen.indexOf(id);
        const box = element("input", {
          ...{ type: several ? "checkbox" : "radio", name: "run", value: id, checked: shown.includes(id) },
          onchange: () => {
            const others = chosen.filter((one) => one !== id);
            state.choose({ runs: several ? (box.checked ? [...others, id] : others) : [id, ...others] });
            drawPicker();
            void redraw();
          },
        });
        const label = element("label", {}, box, index < 0 || !several ? null : dot(colourOf(index)), ` ${name}`);
        if (live) label.append(element("span", { class: "live" }, " training"));
        return label;
      }),
    ),
  );
  if (focused !== undefined) picker.querySelector<HTMLElement>(`input[value="${CSS.escape(focused)}"]`)?.focus();
}

async function readOverview(): Promise<void> {
  state.overview = await getJson<Overview>("/api/overview");
  drawPicker();
  await redraw();
}

/** Events of the server; the browser connects again by itself. */
function listen(): void {
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => fill(connection, "live"));
  events.addEventListener("error", () => fill(connection, "not connected"));
  events.addEventListener("overview", () => void readOverview().catch((error: Error) => say(error.message)));
  events.addEventListener("growth", ({ data }) => {
    const { run } = JSON.parse(data as string) as { run: string };
    if (state.chosen.includes(run)) void redraw();
    // The last step of a run changes what the overview says of it.
    overviewSoon();
  });
}

let overviewTimer: number | undefined;
function overviewSoon(): void {
  if (overviewTimer !== undefined) return;
  overviewTimer = window.setTimeout(() => {
    overviewTimer = undefined;
    void readOverview().catch((error: Error) => say(error.message));
  }, 5000);
}

async function take(name: string, files: readonly DroppedFile[]): Promise<void> {
  if (files.length === 0) return;
  say(`Opening ${name}…`);
  try {
    const found = await openFiles(name, files);
    say("");
    if (found.kind === "run") {
      await readOverview();
      state.choose({ runs: [...state.chosen.filter((one) => one !== found.run), found.run] });
      location.hash = "#/training";
    } else {
      showModel(found.inspection);
      location.hash = "#/open";
    }
    openView();
  } catch (error) {
    say((error as Error).message);
  }
}

function acceptDrops(): void {
  const zone = document.querySelector<HTMLElement>("#drop")!;
  let depth = 0;
  const show = (change: number) => {
    depth = Math.max(0, depth + change);
    zone.hidden = depth === 0;
  };
  document.addEventListener("dragenter", () => show(1));
  document.addEventListener("dragleave", () => show(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    show(Number.NEGATIVE_INFINITY);
    depth = 0;
    if (event.dataTransfer === null) return;
    void filesOfDrop(event.dataTransfer).then(({ name, files }) => take(name, files));
  });
  document.addEventListener("tilth-open", (event) => {
    const files = (event as CustomEvent<File[]>).detail;
    void take(
      files[0]?.name ?? "",
      files.map((file) => ({ name: file.name, file })),
    );
  });
}

function chooseTheme(): void {
  const list = document.querySelector<HTMLSelectElement>("#theme")!;
  const key = "tilth-theme";
  const apply = () => {
    if (list.value === "") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = list.value;
    void redraw();
  };
  try {
    list.value = localStorage.getItem(key) ?? "";
  } catch {
    // As the system has it.
  }
  list.addEventListener("change", () => {
    try {
      localStorage.setItem(key, list.value);
    } catch {
      // Forgotten at the next visit.
    }
    apply();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}

fill(main, message, element("div", { class: "columns" }, picker, content));
chooseTheme();
acceptDrops();
window.addEventListener("hashchange", openView);
openView();
listen();
