/** The settings of the filters: a preset for each kind of document, and single thresholds on top of it. */
import { z } from "zod";
import { unknownKeys } from "../../foundation/index.ts";
import { type DocumentKind, documentKinds } from "../document.ts";
import type { Filter, Threshold } from "./define.ts";
import { allFilters, filters, registeredFilters } from "./registry.ts";

const threshold = z
  .strictObject({
    minimum: z.number().optional().describe("inclusive lower bound"),
    maximum: z.number().optional().describe("inclusive upper bound"),
  })
  .refine(({ minimum, maximum }) => minimum !== undefined || maximum !== undefined, {
    error: "a threshold needs a minimum, a maximum or both; null switches the rule off",
  })
  .refine(({ minimum, maximum }) => minimum === undefined || maximum === undefined || minimum <= maximum, {
    error: "minimum is above maximum: no value could pass",
  });

const preset = z
  .enum(["adapted", "published", "datatrove", "none"])
  .describe(
    "adapted: the published thresholds with Tilth's deviations for this kind; published: exactly those of the papers; datatrove: those of the papers, with words, lines and sentences counted as datatrove counts them in English, so that its filters decide the same; none: only the thresholds given here",
  );

type Registered = (typeof filters)[number];
type MeasureOf<F> = F extends Filter<string, infer Measure> ? Measure : never;
type FilterShape = {
  [F in Registered as F["name"]]: z.ZodOptional<
    z.ZodNullable<z.ZodObject<Record<MeasureOf<F>, z.ZodOptional<z.ZodNullable<typeof threshold>>>, z.core.$strict>>
  >;
};

/** The thresholds that may be set for one filter: any of its measures, each a threshold or null. */
function thresholdsOf(filter: Filter) {
  const shape = Object.fromEntries(
    Object.entries(filter.measures).map(([measure, text]) => [measure, threshold.nullable().optional().describe(text)]),
  );
  return z
    .strictObject(shape, { error: unknownKeys(`measure of the filter ${filter.name}`, Object.keys(shape)) })
    .nullable()
    .optional()
    .describe(`${filter.source}; null switches the filter off`);
}

const filterShape = Object.fromEntries(filters.map((filter) => [filter.name, thresholdsOf(filter)])) as FilterShape;

const kindSettings = (preferred: z.infer<typeof preset>) =>
  z
    .object({ preset: preset.default(preferred), ...filterShape })
    // Filters of plugins are known when settings are read, not when this program is loaded.
    .catchall(z.unknown())
    .superRefine((settings, context) => {
      for (const [name, value] of Object.entries(settings)) {
        if (name === "preset" || Object.hasOwn(filterShape, name)) continue;
        const filter = registeredFilters().get(name);
        const result =
          filter === undefined ? unknownFilter.safeParse({ [name]: value }) : thresholdsOf(filter).safeParse(value);
        for (const { path, message } of result.error?.issues ?? [])
          context.addIssue({ code: "custom", path: filter === undefined ? [] : [name, ...path], message });
      }
    })
    .prefault({}) as unknown as z.ZodPrefault<
    z.ZodObject<{ preset: z.ZodDefault<typeof preset> } & FilterShape, z.core.$strict>
  >;

/** Refuses any key, with the message for an unknown filter. */
const unknownFilter = z.strictObject({}, { error: unknownKeys("filter", ["preset", ...Object.keys(filterShape)]) });

/**
 * Filters by kind of document. Left out, pages are judged as datatrove does, other kinds by their adapted preset. `{ prose: { "gopher-quality": { words:
 * { minimum: 100 }, bulletLines: null } } }` replaces one threshold and switches another off.
 */
export const filterSettings = z.strictObject(
  {
    web: kindSettings("datatrove"),
    prose: kindSettings("adapted"),
    caption: kindSettings("adapted"),
    code: kindSettings("adapted"),
    declarations: kindSettings("adapted"),
    data: kindSettings("adapted"),
  } satisfies Record<DocumentKind, unknown>,
  { error: unknownKeys("kind of document", documentKinds) },
);

export type FilterSettings = z.infer<typeof filterSettings>;

/** A rule that judges: one threshold on one measure. */
export interface Rule {
  /** `filter.measure`. */
  readonly name: string;
  readonly threshold: Threshold;
}

const resolved = new WeakMap<FilterSettings, Partial<Record<DocumentKind, readonly Rule[]>>>();

/** Whether the kind's values are those that datatrove counts. */
export function countsAsDatatrove(kind: DocumentKind, settings: FilterSettings): boolean {
  return settings[kind].preset === "datatrove";
}

/** The rules for a kind of document, after preset and single settings; worked out once for each settings object. */
export function rulesFor(kind: DocumentKind, settings: FilterSettings): readonly Rule[] {
  let known = resolved.get(settings);
  if (known === undefined) {
    known = {};
    resolved.set(settings, known);
  }
  known[kind] ??= resolveRules(kind, settings);
  return known[kind];
}

function resolveRules(kind: DocumentKind, settings: FilterSettings): Rule[] {
  const rules: Rule[] = [];
  for (const filter of allFilters()) {
    const own = settings[kind][filter.name as Registered["name"]] as
      | Record<string, Threshold | null>
      | null
      | undefined;
    if (own === null) continue;
    for (const measure of Object.keys(filter.measures)) {
      const chosen =
        own?.[measure] === undefined ? presetThreshold(filter, measure, kind, settings[kind].preset) : own[measure];
      if (chosen) rules.push({ name: `${filter.name}.${measure}`, threshold: chosen });
    }
  }
  return rules;
}

function presetThreshold(
  filter: Filter,
  measure: string,
  kind: DocumentKind,
  name: z.infer<typeof preset>,
): Threshold | null | undefined {
  if (name === "none" || !filter.kinds.includes(kind)) return null;
  const deviation = name === "adapted" ? filter.deviations?.[kind]?.[measure] : undefined;
  return deviation === undefined ? filter.thresholds[measure] : deviation.threshold;
}
