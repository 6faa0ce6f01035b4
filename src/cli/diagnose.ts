import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { readRows } from "../evaluation/index.ts";
import { UsageError } from "../foundation/index.ts";
import { type DiagnoseOutput, diagnoseJob, runJob } from "../jobs/index.ts";
import { isStage, lineageOf, parseCases, stages } from "../lineage/index.ts";
import type { Command } from "./command.ts";
import { storeFolder } from "./data/store.ts";
import { interruptSignal, progressLine } from "./terminal.ts";

/** `tilth diagnose` */
export const diagnoseCommand: Command = {
  summary: "where does odd behaviour come from: data coverage, fine-tuning, post-training, or undecided?",
  usage: "<checkpoint> --cases <file> [options]  |  --chain <checkpoint> --chain <checkpoint> … --cases <file>",
  options: {
    cases: { describe: "rows of prompt, wanted, unwanted (or text, label) that come out wrong", placeholder: "file" },
    control: { describe: "rows of the same kind that come out right", placeholder: "file" },
    chain: {
      describe: `a checkpoint, the base first, or stage=folder: ${Object.keys(stages).join(", ")} (repeatable); by lineage if left out`,
      placeholder: "checkpoint",
      multiple: true,
    },
    corpus: { describe: "the store that trained the base, or its run; by lineage if left out", placeholder: "folder" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth diagnose runs/answers --cases wrong.jsonl --control right.jsonl",
    "tilth diagnose --chain base=runs/a/checkpoints/step-0000650 --chain instruct=sft --chain aligned=dpo --cases long-answers.jsonl --corpus runs/a",
  ],
  async run(input) {
    const file = input.text("cases");
    if (file === undefined)
      throw new UsageError("--cases is needed: rows of prompt, wanted, unwanted; or of text, label");
    const controlFile = input.text("control");
    const [checkpoint] = input.positionals;
    const given = input.list("chain").map((one) => {
      const [, stage, path] = /^([a-z-]+)=(.+)$/.exec(one) ?? [];
      return stage !== undefined && isStage(stage)
        ? { checkpoint: resolve(path), stage }
        : { checkpoint: resolve(one) };
    });
    const known = given.length > 0 ? { chain: given } : await byLineage(checkpoint);
    const store = input.text("corpus") ?? known.corpus;
    const progress = progressLine();
    const found = await runJob(
      diagnoseJob,
      {
        chain: known.chain,
        cases: parseCases(await readRows(file), file),
        control: controlFile === undefined ? [] : parseCases(await readRows(controlFile), controlFile),
        ...(store !== undefined && { corpus: storeFolder(store) }),
        device: { backend: input.text("backend") ?? "auto" },
      },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    process.stdout.write(input.flag("json") ? `${JSON.stringify(found)}\n` : `${describe(found)}\n`);
  },
};

/** Chain and corpus as the record of a checkpoint tells them. */
async function byLineage(checkpoint: string | undefined) {
  if (checkpoint === undefined) throw new UsageError("diagnose what? Give a checkpoint, or its chain with --chain");
  const { artefacts } = await lineageOf(resolve(checkpoint));
  const models = artefacts.filter(({ kind, present }) => kind === "checkpoint" && present);
  const corpus = artefacts.filter(({ kind, present }) => kind === "corpus" && present).at(-1);
  return {
    chain: models.map(({ path }) => ({ checkpoint: path })).reverse(),
    ...(corpus !== undefined && existsSync(corpus.path) && { corpus: corpus.path }),
  };
}

function describe({ origin, enteredAt, evidence, next, stages: asked, coverage, bisected }: DiagnoseOutput): string {
  const share = (one: DiagnoseOutput["stages"][number]["failing"]) =>
    one === null
      ? "cannot be asked"
      : `${(100 * one.value).toFixed(0)} % (${one.interval.map((bound) => (100 * bound).toFixed(0)).join("–")})`;
  const rejected = new Map<string, number>();
  for (const { nearest } of coverage) {
    for (const near of nearest)
      if (near.rejected !== null && near.share > 0.3)
        rejected.set(near.rejected, (rejected.get(near.rejected) ?? 0) + 1);
  }
  return [
    `Origin: ${origin}${enteredAt === undefined ? "" : `, entered at ${enteredAt}`}`,
    ...evidence.map((one) => `  ${one}`),
    "",
    "Answered as wanted (95 % interval)",
    ...asked.map(
      (one) =>
        `  ${one.stage.padEnd(11)} ${share(one.failing).padEnd(16)} control ${share(one.control).padEnd(16)} ${one.name}`,
    ),
    ...(bisected.length === 0
      ? []
      : [
          "Inside the stage",
          ...bisected.map((one) => `  ${(100 * one.share).toFixed(0).padStart(3)} %  ${one.checkpoint}`),
        ]),
    ...(coverage.length === 0
      ? []
      : [
          "Nearest documents of the corpus",
          ...coverage
            .slice(0, 5)
            .map(({ pairs, nearest: [near] }, index) =>
              near === undefined
                ? `  case ${index + 1}: none`
                : `  case ${index + 1}: ${(100 * pairs).toFixed(0)} % of its word pairs; ${near.source} ${near.path} (${near.shared} pairs${near.copies > 1 ? `, ${near.copies} copies` : ""}${near.rejected === null ? "" : `, rejected: ${near.rejected}`})`,
            ),
        ]),
    ...(rejected.size === 0
      ? []
      : [
          "Rejected documents that hold much of a case, by reason",
          ...[...rejected].map(([reason, count]) => `  ${count}  ${reason}`),
        ]),
    "",
    `Next: ${next}`,
  ].join("\n");
}
