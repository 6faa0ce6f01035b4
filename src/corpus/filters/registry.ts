/** All filters, in the order in which their rejections are reported. A new filter is one file and one line here. */
import { boilerplate } from "./boilerplate.ts";
import { c4 } from "./c4.ts";
import { codeQuality } from "./code-quality.ts";
import { dataQuality } from "./data-quality.ts";
import { encodedData } from "./encoded-data.ts";
import { fineweb } from "./fineweb.ts";
import { generatedCode } from "./generated-code.ts";
import { gopherQuality } from "./gopher-quality.ts";
import { gopherRepetition } from "./gopher-repetition.ts";
import { length } from "./length.ts";
import { pii } from "./pii.ts";
import { toxicity } from "./toxicity.ts";

export const filters = [
  length,
  gopherQuality,
  gopherRepetition,
  fineweb,
  c4,
  codeQuality,
  generatedCode,
  encodedData,
  dataQuality,
  boilerplate,
  toxicity,
  pii,
] as const;
