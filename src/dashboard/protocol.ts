/** What the dashboard's server and page send each other. Types only: the page is built for the browser. */

/** A run as lists show it. */
export interface RunSummary {
  /** For addresses; of the folder's path. */
  readonly id: string;
  /** The folder, relative to the one that is shown. */
  readonly name: string;
  readonly objective: string | null;
  readonly architecture: string | null;
  /** Steps that its configuration asks for. */
  readonly steps: number | null;
  readonly created: string | null;
  /** Whether its log was written a moment ago and it has steps left. */
  readonly live: boolean;
  readonly hasReport: boolean;
  /** Names of its checkpoints, oldest first. */
  readonly checkpoints: readonly string[];
}

/** A ladder of small models. */
export interface LadderSummary {
  readonly id: string;
  readonly name: string;
}

/** Everything that is found in the folders. */
export interface Overview {
  readonly version: string;
  readonly folders: readonly string[];
  readonly runs: readonly RunSummary[];
  readonly ladders: readonly LadderSummary[];
}

/** Lines of a log that share their steps. */
export type GroupName = "step" | "validation" | "checkpoint";

/** How many rows of each group there are; another generation means that the log was cut and starts again. */
export interface LogPosition {
  readonly generation: number;
  readonly rows: Readonly<Record<GroupName, number>>;
  /** Samples, guards and early stops. */
  readonly notes: number;
}

/** Sent as an event whenever a log has grown. */
export interface Growth extends LogPosition {
  readonly run: string;
}

/** What stands before the columns of a binary answer. */
export interface ColumnsHeader extends LogPosition {
  /** In the order of their bytes: `step` and `tokens` as f64, the others as f32, each begun at a multiple of 8. */
  readonly groups: Readonly<Record<GroupName, { readonly from: number; readonly columns: readonly string[] }>>;
}

/** A line of the log that is no figure. */
export type Note =
  | { readonly kind: "sample"; readonly step: number; readonly prompt: string; readonly text: string }
  | { readonly kind: "guard"; readonly step: number; readonly action: string; readonly reason: string }
  | { readonly kind: "early-stop"; readonly step: number; readonly bestLoss: number };

/** An evaluation as it is kept in a run's folder. */
export interface EvaluationView {
  readonly name: string;
  readonly checkpoint: string;
  readonly created: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly result: Readonly<Record<string, unknown>>;
}

/** What a run is, beside its curves. */
export interface RunDetails {
  readonly notes: readonly Note[];
  readonly evaluations: readonly EvaluationView[];
  /** The resolved configuration and the machine. */
  readonly description: Readonly<Record<string, unknown>> | null;
}

/** The models of a ladder and the law through them. */
export interface LadderView {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly law: string | null;
}

/** A need as the form asks for it. */
export interface NeedField {
  readonly name: string;
  readonly describe: string;
  readonly choices?: readonly string[];
}

/** What the planner's form begins with. */
export interface PlanForm {
  readonly fields: readonly NeedField[];
  /** Values by the name of the example that they come from. */
  readonly examples: Readonly<Record<string, Readonly<Record<string, string | number>>>>;
}

/** The planner's answer. */
export interface PlanView {
  readonly recommendation: string;
}

/** What became of a file that was dropped on the page. */
export type Opened =
  | { readonly kind: "run"; readonly run: string }
  | { readonly kind: "model"; readonly inspection: Readonly<Record<string, unknown>> };
