/** The catalogue: prices and speeds with their dates and sources, in a file that the user keeps. Nothing is fetched. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { messageOf, packageRoot, parseSettings, settingsObject, UsageError } from "../foundation/index.ts";

const positive = z.number().positive();
const price = z.number().nonnegative();
const isoDate = z.string().regex(/^\d{4}-\d{2}(-\d{2})?$/, "expected a date such as 2025-01 or 2025-01-31");
/** Where a figure is from, and when it was read there. */
const provenance = { source: z.string().min(1), date: isoDate };

const device = settingsObject("device", {
  name: z.string().min(1),
  pricePerHour: price.describe("of one device, in the catalogue's currency"),
  peakFlops: positive.describe("dense bf16, FLOP/s"),
  utilisation: z.number().positive().max(1).describe("share of the peak that training reaches"),
  memoryBytes: positive,
  memoryBytesPerSecond: positive,
  ...provenance,
});

const openModel = settingsObject("open model", {
  name: z.string().min(1),
  parameters: positive,
  licence: z.string().min(1).describe("SPDX expression, or the owner's words"),
  commercialUse: z.boolean(),
  ...provenance,
});

const hostedModel = settingsObject("hosted model", {
  name: z.string().min(1),
  /** No owner says it; what one believes decides the forecast of quality. */
  assumedParameters: positive,
  pricePerMillionInputTokens: price,
  pricePerMillionOutputTokens: price,
  firstTokenSeconds: positive,
  outputTokensPerSecond: positive,
  ...provenance,
});

const efforts = settingsObject("effort", {
  hosted: positive,
  retrieval: positive,
  "fine-tune": positive,
  continue: positive,
  scratch: positive,
});

const catalogueSchema = settingsObject("catalogue", {
  date: isoDate,
  currency: z.string().min(1),
  devices: z.array(device).min(1),
  openModels: z.array(openModel).min(1),
  hostedModels: z.array(hostedModel).min(1),
  people: settingsObject("people", { pricePerDay: price, count: positive, effortDays: efforts }),
});

export type Catalogue = z.output<typeof catalogueSchema>;
export type Device = Catalogue["devices"][number];

/** The catalogue that comes with Tilth: a start, to be copied and kept up to date. */
export const packagedCatalogue = (): string => join(packageRoot(), "examples", "catalogue.yaml");

/** Reads a catalogue. Throws UsageError that names every figure that is missing or not valid, with its place. */
export function readCatalogue(file: string): Catalogue {
  if (!existsSync(file)) throw new UsageError(`${file}: there is no such catalogue`);
  let value: unknown;
  try {
    value = parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new UsageError(`${file} cannot be read as YAML: ${messageOf(cause)}`, { cause });
  }
  return parseSettings(catalogueSchema, value, `the figures of ${file}`);
}
