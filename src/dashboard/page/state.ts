/** What the page knows and what the reader chose: kept over reloads in the browser, without anything leaving it. */
import type { Overview, RunDetails } from "../protocol.ts";
import { RunData } from "./run-data.ts";

/** Choices that stay. */
export interface Choices {
  /** Ids of runs that are compared; the newest where none of them is there. */
  readonly runs: readonly string[];
  readonly smoothing: number;
  readonly axis: "step" | "tokens";
  readonly logX: boolean;
  readonly logY: boolean;
}

const initial: Choices = { runs: [], smoothing: 0.6, axis: "step", logX: false, logY: false };
const storeKey = "tilth-dashboard";

/** The state of the page. */
export class State {
  overview: Overview = { version: "", folders: [], runs: [], ladders: [] };
  choices: Choices = { ...initial, ...stored() };
  private readonly data = new Map<string, RunData>();
  private readonly details = new Map<string, { readonly notes: number; readonly found: Promise<RunDetails> }>();

  /** Runs that are compared. */
  get chosen(): readonly string[] {
    const there = this.choices.runs.filter((id) => this.overview.runs.some((run) => run.id === id));
    return there.length > 0 ? there : this.overview.runs.slice(0, 1).map(({ id }) => id);
  }

  choose(choices: Partial<Choices>): void {
    this.choices = { ...this.choices, ...choices };
    try {
      localStorage.setItem(storeKey, JSON.stringify(this.choices));
    } catch {
      // A browser without storage forgets; nothing else depends on it.
    }
  }

  runData(id: string): RunData {
    const known = this.data.get(id);
    if (known !== undefined) return known;
    const made = new RunData(id);
    this.data.set(id, made);
    return made;
  }

  /** Details as they are once the log has `notes` notes; `again` asks anew. */
  runDetails(id: string, notes: number, again = false): Promise<RunDetails> {
    const known = this.details.get(id);
    if (known !== undefined && known.notes === notes && !again) return known.found;
    const found = getJson<RunDetails>(`/api/runs/${id}/details`);
    this.details.set(id, { notes, found });
    return found;
  }

  nameOf(id: string): string {
    return this.overview.runs.find((run) => run.id === id)?.name ?? id;
  }
}

/** The answer of the server. Throws with what it says. */
export async function getJson<Answer>(path: string, options?: RequestInit): Promise<Answer> {
  const response = await fetch(path, options);
  const body = (await response.json()) as Answer & { error?: string; remedy?: string };
  if (!response.ok) throw new Error([body.error, body.remedy].filter(Boolean).join(". "));
  return body;
}

function stored(): Partial<Choices> {
  try {
    const found = JSON.parse(localStorage.getItem(storeKey) ?? "{}") as Partial<Choices>;
    return typeof found === "object" && found !== null && Array.isArray(found.runs ?? []) ? found : {};
  } catch {
    return {};
  }
}

/** Colours of runs, in the order in which they are chosen; legible on light and dark paper (Observable 10, darkened). */
const colours = ["#3f68d6", "#c2571a", "#2f8a5b", "#b23a6d", "#7a52c7", "#8a6d1f", "#1f7f93", "#6b6b6b"];

/** The colour of the n-th chosen run. */
export function colourOf(index: number): string {
  return colours[index % colours.length];
}
