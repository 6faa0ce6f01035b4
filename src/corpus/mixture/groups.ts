/** The group of every document, as an SQL expression over the store's columns. */
import { globExpression } from "../../foundation/index.ts";
import { sqlString } from "../store/index.ts";
import type { MixtureGroup, MixtureSettings } from "./settings.ts";

/** The expression whose value is the name of a document's group. */
export function groupExpression({ groups, groupBy }: Pick<MixtureSettings, "groups" | "groupBy">): string {
  const branches = groups.flatMap((group) => {
    const conditions = conditionsOf(group);
    return conditions.length === 0 ? [] : [`WHEN ${conditions.join(" AND ")} THEN ${sqlString(group.name)}`];
  });
  return branches.length === 0 ? groupBy : `CASE ${branches.join(" ")} ELSE ${groupBy} END`;
}

/** None for a group that only says how much of the kind, source, … of its name there is to be. */
function conditionsOf({ sources, kinds, languages, licences, measure, minimum, below }: MixtureGroup): string[] {
  const oneOf = (column: string, values: readonly string[] | undefined) =>
    values === undefined ? [] : [`${column} IN (${values.map(sqlString).join(", ")})`];
  // A document without the measure is not of the group: NULL is not true.
  const value = measure === undefined ? "" : `measures[${sqlString(measure)}]`;
  return [
    ...(sources === undefined ? [] : [`(${sources.map(matches).join(" OR ")})`]),
    ...oneOf("kind", kinds),
    ...oneOf("language", languages),
    ...oneOf("licence", licences),
    ...(measure === undefined ? [] : [`${value} IS NOT NULL`]),
    ...(minimum === undefined ? [] : [`${value} >= ${minimum}`]),
    ...(below === undefined ? [] : [`${value} < ${below}`]),
  ];
}

function matches(pattern: string): string {
  if (!pattern.includes("*")) return `source = ${sqlString(pattern)}`;
  return `regexp_full_match(source, ${sqlString(globExpression(pattern))})`;
}
