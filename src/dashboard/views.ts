/** What is shown beside the curves: lineage, ladders, plans, files that were dropped on the page. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse as parseYaml } from "yaml";
import { packageRoot, TilthError } from "../foundation/index.ts";
import { inspectModel, openLineage, placesOf, readEvaluations } from "../jobs/index.ts";
import { lineagePage } from "../lineage/index.ts";
import {
  describedNeeds,
  packagedCatalogue,
  parseNeeds,
  planFor,
  planPage,
  readCatalogue,
  stepsOf,
} from "../planner/index.ts";
import { type FittedLaw, fitLaw, lawPlot, readLaw, readPoints, type ScalingPoint } from "../scaling/index.ts";
import { descriptionOf, ladderTableOf, type ShownRun } from "./places.ts";
import type { LadderView, PlanForm, PlanView, RunDetails } from "./protocol.ts";

/** Samples, guards, evaluations and configuration of a run. */
export function runDetails({ folder, feed }: ShownRun): RunDetails {
  return { notes: feed.notes, evaluations: readEvaluations(folder), description: descriptionOf(folder) };
}

/** The data report of a run as a page. Throws TilthError where there is none. */
export function reportPage({ folder, name }: ShownRun): string {
  const file = join(placesOf(folder).report, "report.html");
  if (!existsSync(file)) throw new TilthError(`${name} has no data report`);
  return readFileSync(file, "utf8");
}

/** Where a run's checkpoint comes from, as a page. Throws TilthError where that is not known. */
export async function lineageOfCheckpoint({ folder }: ShownRun, checkpoint: string): Promise<string> {
  const { graph, database } = await openLineage(join(placesOf(folder).checkpoints, checkpoint));
  database.close();
  return lineagePage(graph);
}

/** A ladder's table. */
export function ladderView(folder: string): LadderView {
  const [columns = [], ...rows] = ladderTableOf(folder)
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  const law = existsSync(join(folder, "law.json")) ? readLaw(join(folder, "law.json")) : undefined;
  return { columns, rows, law: law === undefined ? null : describeLaw(law) };
}

/** The ladder's models with a law through them: the one that was written, else one fitted now. An SVG. */
export async function ladderPlot(folder: string): Promise<string> {
  const points = readPoints(join(folder, "ladder.csv"), { parameters: "parameters", tokens: "tokens", loss: "loss" });
  return lawPlot(lawOf(folder, points), points);
}

function lawOf(folder: string, points: readonly ScalingPoint[]): FittedLaw {
  const file = join(folder, "law.json");
  return existsSync(file) ? readLaw(file) : fitLaw(points, { bootstrap: 20 });
}

function describeLaw({ form, constants }: FittedLaw): string {
  const values = Object.entries(constants).map(([name, value]) => `${name} = ${value.toPrecision(4)}`);
  return `${form}: ${values.join(", ")}`;
}

const plansFolder = join("examples", "plans");

/** The planner's form, with the package's examples. */
export function planForm(): PlanForm {
  const devices = readCatalogue(packagedCatalogue()).devices.map(({ name }) => name);
  const fields = describedNeeds().map((field) => (field.name === "device" ? { ...field, choices: devices } : field));
  const folder = join(packageRoot(), plansFolder);
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  const examples = Object.fromEntries(
    files.map((name) => [
      basename(name, ".yaml"),
      parseNeeds(parseYaml(readFileSync(join(folder, name), "utf8")), name) as PlanForm["examples"][string],
    ]),
  );
  return { fields, examples };
}

/** The planner's answer to what a form says, and a page of all of it. Throws UsageError naming every need that is missing or not valid. */
export function planView(value: Readonly<Record<string, unknown>>): Promise<PlanView & { readonly html: string }> {
  const key = JSON.stringify(value);
  // The page asks for the answer, then for its page: the same plan.
  if (lastPlan?.key !== key) lastPlan = { key, view: decide(value) };
  return lastPlan.view;
}

let lastPlan: { readonly key: string; readonly view: ReturnType<typeof decide> } | undefined;

async function decide(value: Readonly<Record<string, unknown>>): Promise<PlanView & { readonly html: string }> {
  const needs = parseNeeds(value, "the form");
  const catalogue = readCatalogue(packagedCatalogue());
  const plan = planFor(needs, catalogue);
  const { recommendation } = plan;
  return {
    recommendation:
      recommendation === null
        ? "No way meets all requirements"
        : `Recommended: ${recommendation.name} (${recommendation.model})`,
    html: await planPage(plan, await stepsOf(plan, needs, catalogue), needs, catalogue),
  };
}

/** What a dropped file or folder is: base or instruct, its tensors, its rights. */
export async function inspectionOf(path: string): Promise<Record<string, unknown>> {
  return { ...(await inspectModel(path)), path: basename(path) };
}
