/** Options of what answers, and of what is asked while it learns. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { TilthError } from "../../foundation/index.ts";
import type { ChatOptions } from "../../jobs/index.ts";
import type { CommandInput, OptionDefinition } from "../command.ts";

export const chatOptions = {
  template: {
    describe: "a chat template in Jinja (default the checkpoint's, else plain words for roles)",
    placeholder: "file",
  },
  safety: { describe: "requests to decline, one a line (default a short list of Tilth's)", placeholder: "file" },
  "answer-tokens": {
    describe: "tokens of the answers that are asked for at validations",
    placeholder: "tokens",
    initial: "48",
  },
  "sequence-length": { describe: "tokens of a row", placeholder: "tokens", initial: "256" },
  "validation-share": { describe: "share of the rows that is held out", placeholder: "share", initial: "0.1" },
} as const satisfies Readonly<Record<string, OptionDefinition>>;

export function chatInput(input: CommandInput): ChatOptions {
  const [template, safety] = [input.text("template"), input.text("safety")];
  return {
    ...(template !== undefined && { template: resolve(template) }),
    ...(safety !== undefined && { requests: linesOf(safety) }),
    answerTokens: input.number("answer-tokens", { minimum: 1, whole: true })!,
  };
}

function linesOf(file: string): string[] {
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new TilthError(`${file} has no requests`, { remedy: "Give one a line." });
  return lines;
}
