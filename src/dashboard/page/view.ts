/** What a view of the page is. */
import type { State } from "./state.ts";

/** One of the page's views. */
export interface View {
  /** The part of the address after `#/`. */
  readonly name: string;
  readonly title: string;
  /** Whether the runs that are compared are chosen beside it; `one` allows only one. */
  readonly runs: "several" | "one" | "none";
  open(state: State, redraw: () => void): OpenView;
}

/** A view on the page. */
export interface OpenView {
  readonly node: HTMLElement;
  /** Called when something grew or was chosen. Of several calls the last counts. */
  refresh(): Promise<void> | void;
}
