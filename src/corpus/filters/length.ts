import { atLeast, defineFilter } from "./define.ts";

/** A document has to be long enough to teach anything; what is shorter is a stub, a re-export or a redirect. */
export const length = defineFilter({
  name: "length",
  kinds: ["web", "prose", "caption", "code", "declarations", "data"],
  source:
    "Tilth. Gopher asks web pages for 50 words (see gopher-quality); 100 bytes are about 20 words of prose or three lines of code. DeepSeek-Coder (Guo et al. 2024) starts data files at 50 characters.",
  measures: {
    bytes: "UTF-8 length of the document",
    lines: "lines, blank ones included",
  },
  thresholds: { bytes: atLeast(100) },
  deviations: {
    caption: { bytes: { threshold: atLeast(5), reason: "LAION-400M's lower bound for the caption of an image" } },
    data: { bytes: { threshold: atLeast(50), reason: "DeepSeek-Coder's lower bound for JSON and YAML" } },
  },
  measure: ({ text, whole }) => ({ bytes: Buffer.byteLength(text), lines: whole.allLines }),
});
