/** A fitted law as a file: what `tilth scale fit --out` writes and `tilth scale forecast` reads. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf, TilthError, writeFileAtomically } from "../foundation/index.ts";
import type { FittedLaw } from "./fit.ts";
import { formNamed } from "./forms.ts";

const pair = z.tuple([z.number(), z.number()]);

const lawFile = z.looseObject({
  form: z.enum(["chinchilla", "kaplan"]),
  constants: z.record(z.string(), z.number()),
  intervals: z.record(z.string(), pair),
  intervalLevel: z.number(),
  resamples: z.array(z.array(z.number())),
  points: z.number(),
  rootMeanSquareError: z.number(),
  medianAbsoluteError: z.number(),
  range: z.strictObject({ parameters: pair, tokens: pair, flops: pair, loss: pair }),
});

export function writeLaw(file: string, law: FittedLaw): void {
  writeFileAtomically(file, `${JSON.stringify(law)}\n`);
}

/** Throws TilthError where the file is no law that `tilth scale fit` wrote. */
export function readLaw(file: string): FittedLaw {
  try {
    const law = lawFile.parse(JSON.parse(readFileSync(file, "utf8")));
    const missing = formNamed(law.form).constantNames.filter((name) => law.constants[name] === undefined);
    if (missing.length > 0) throw new Error(`the constants ${missing.join(", ")} are missing`);
    return law;
  } catch (cause) {
    throw new TilthError(`${file} is no fitted law: ${messageOf(cause)}`, {
      remedy: "Write one with: tilth scale fit <csv> … --out law.json",
      cause,
    });
  }
}
