import { type Ladder, loadLadder } from "../../config/index.ts";
import { parsePart } from "../../corpus/index.ts";
import { InterruptedError, UsageError } from "../../foundation/index.ts";
import { prepareLadder, trainLadder } from "../../jobs/index.ts";
import type { Command, CommandInput } from "../command.ts";
import { formatCount, formatSeconds, interruptSignal, progressLine, say } from "../terminal.ts";
import { watchTraining } from "../training-progress.ts";
import { writeLadderTable } from "./merge.ts";

/** What `run` and `merge` share: the ladder's file. */
export const ladderOptions = {
  set: {
    describe: "override a value: training.batchSequences=8; may be repeated",
    placeholder: "name=value",
    multiple: true,
  },
  run: { describe: "the ladder's folder instead of its file's runFolder", placeholder: "folder" },
  json: { describe: "print one JSON object" },
} as const;

/** The ladder that the command line names. */
export function ladderOf(input: CommandInput): Promise<Ladder> {
  const [file] = input.positionals;
  if (file === undefined) {
    throw new UsageError("a ladder's file is needed", { remedy: "See: tilth scale run --help, and docs/scaling.md." });
  }
  return loadLadder(file, { overrides: input.list("set"), folder: input.text("run") });
}

/** `tilth scale run` */
export const run: Command = {
  summary: "train a ladder of small models; run again, it goes on where it was",
  usage: "<ladder file> [options]",
  options: {
    ...ladderOptions,
    "dry-run": { describe: "print the models, tokens and learning rates, and stop" },
    prepare: { describe: "only build the corpus and its shards: what elements of an array start from" },
    element: {
      describe: "train every n-th model, beginning with the i-th: one element of an array",
      placeholder: "i/n",
    },
  },
  examples: [
    "tilth scale run ladder.yaml",
    "tilth scale run ladder.yaml --prepare && tilth scale run ladder.yaml --element 1/4   # 2/4 …, then: tilth scale merge ladder.yaml",
  ],
  async run(input) {
    const ladder = await ladderOf(input);
    if (input.flag("dry-run")) {
      const plan = ladder.runs.map(({ rung }) => rung);
      process.stdout.write(
        input.flag("json")
          ? `${JSON.stringify(plan)}\n`
          : plan
              .map(
                (one) =>
                  `${one.name}: ${formatCount(one.tokens)} tokens, learning rate ${one.learningRate.toPrecision(3)}, ${JSON.stringify(one.model)}\n`,
              )
              .join(""),
      );
      return;
    }
    const signal = interruptSignal("stopping after this step; finished models are kept");
    const element = input.text("element");
    const share = element === undefined ? { part: 1, parts: 1 } : parsePart(element, "--element");
    if (element === undefined) {
      const progress = progressLine();
      await prepareLadder(ladder, { onEvent: progress.update, signal });
      progress.end();
    }
    if (input.flag("prepare")) return say(`the shards are ready in ${ladder.base.runFolder}`);
    let watch = watchTraining(1, false);
    const training = trainLadder(
      ladder,
      { element: share.part, elements: share.parts },
      {
        signal,
        onEvent: (event) => watch.listen(event),
        onRung({ rung }, done) {
          const known = done && `: trained before in ${formatSeconds(done.seconds)}, loss ${done.loss.toFixed(4)}`;
          say(
            `${rung.name}${known ?? `: ${formatCount(rung.tokens)} tokens, learning rate ${rung.learningRate.toPrecision(3)}`}`,
          );
          watch = watchTraining(rung.steps, false);
        },
      },
    );
    await training.catch((error: unknown) => {
      // The rung itself would be continued by another command than the ladder is.
      if (!(error instanceof InterruptedError)) throw error;
      throw new InterruptedError(error.message, { remedy: "Run the same command again: it goes on from there." });
    });
    if (element !== undefined) return say(`element ${element} is done; when all are: tilth scale merge`);
    writeLadderTable(ladder, input.flag("json"));
  },
};
