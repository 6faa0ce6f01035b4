/** A lineage graph as W3C PROV, in its JSON form (https://www.w3.org/submissions/prov-json/). */
import type { LineageGraph } from "./graph.ts";

type Attributes = Record<string, string | number | { readonly $: string; readonly type: string }>;

/** What PROV-JSON calls a document: entities are artefacts, activities are commands, the agents are versions of Tilth. */
export interface ProvDocument {
  readonly prefix: Readonly<Record<string, string>>;
  readonly entity: Readonly<Record<string, Attributes>>;
  readonly activity: Readonly<Record<string, Attributes>>;
  readonly agent: Readonly<Record<string, Attributes>>;
  readonly used: Readonly<Record<string, Attributes>>;
  readonly wasGeneratedBy: Readonly<Record<string, Attributes>>;
  readonly wasDerivedFrom: Readonly<Record<string, Attributes>>;
  readonly wasAssociatedWith: Readonly<Record<string, Attributes>>;
}

/** The graph as a PROV document. Names are digests, so that documents of several checkpoints may be joined. */
export function provDocument({ artefacts, activities, uses }: LineageGraph): ProvDocument {
  const entity = (id: string) => `tilth:${id.replace(":", "-")}`;
  const activity = (id: string) => `tilth:activity-${id.slice(0, 16)}`;
  const agent = (version: string) => `tilth:version-${version}`;
  const numbered = (rows: readonly Attributes[]) => Object.fromEntries(rows.map((row, index) => [`_:n${index}`, row]));
  const made = artefacts.filter(({ madeBy }) => madeBy !== undefined);
  return {
    prefix: { tilth: "urn:tilth:", prov: "http://www.w3.org/ns/prov#" },
    entity: Object.fromEntries(
      artefacts.map(({ id, kind, name, contents }) => [
        entity(id),
        { "prov:type": `tilth:${kind}`, "prov:label": name, "tilth:sha256": contents },
      ]),
    ),
    activity: Object.fromEntries(
      activities.map(({ id, command, details }) => [
        activity(id),
        { "prov:type": "tilth:command", "prov:label": `tilth ${command}`, "tilth:details": JSON.stringify(details) },
      ]),
    ),
    agent: Object.fromEntries(
      activities.map(({ tilth }) => [
        agent(tilth),
        { "prov:type": { $: "prov:SoftwareAgent", type: "prov:QUALIFIED_NAME" }, "prov:label": `Tilth ${tilth}` },
      ]),
    ),
    used: numbered(
      uses.map((use) => ({
        "prov:activity": activity(use.activity),
        "prov:entity": entity(use.artefact),
        "prov:role": use.role,
      })),
    ),
    wasGeneratedBy: numbered(
      made.map(({ id, madeBy }) => ({ "prov:entity": entity(id), "prov:activity": activity(madeBy!) })),
    ),
    wasDerivedFrom: numbered(
      made.flatMap(({ id, madeBy }) =>
        uses
          .filter((use) => use.activity === madeBy)
          .map((use) => ({ "prov:generatedEntity": entity(id), "prov:usedEntity": entity(use.artefact) })),
      ),
    ),
    wasAssociatedWith: numbered(
      activities.map(({ id, tilth }) => ({ "prov:activity": activity(id), "prov:agent": agent(tilth) })),
    ),
  };
}
