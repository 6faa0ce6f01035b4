/** `--evaluation-set name=file:field,field`: evaluation sets on the command line. */
import type { EvaluationSetInput } from "../../corpus/index.ts";
import { UsageError } from "../../foundation/index.ts";
import type { CommandInput, OptionDefinition } from "../command.ts";

export const evaluationOptions = {
  "evaluation-set": {
    describe: "an evaluation set (.jsonl, .parquet) and its text fields: name=file:field,field (repeatable)",
    placeholder: "set",
    multiple: true,
  },
} as const satisfies Readonly<Record<string, OptionDefinition>>;

/** The sets that were named. Throws UsageError for a set of another form. */
export function evaluationSetsOf(input: CommandInput): EvaluationSetInput[] {
  return input.list("evaluation-set").map((text) => {
    const match = /^([^=]+)=(.+):([^:/]+)$/.exec(text);
    if (match === null) {
      throw new UsageError(`--evaluation-set is "${text}", expected name=file:field,field`, {
        remedy: "For example: --evaluation-set quiz=data/quiz.jsonl:question,answer",
      });
    }
    const [, name, path, fields] = match;
    return { name, path, fields: fields.split(",") };
  });
}
