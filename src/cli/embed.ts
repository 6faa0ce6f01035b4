/** `tilth embed`: texts, documents and pictures as vectors, on standard output or in a Parquet file to search in. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { poolings } from "../evaluation/index.ts";
import { UsageError } from "../foundation/index.ts";
import { embedDocumentsJob, embedJob, runJob } from "../jobs/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { storeFolder } from "./data/store.ts";
import { requireReplaceable } from "./questions.ts";
import { formatCount, interruptSignal, progressLine, say } from "./terminal.ts";

export const embed: Command = {
  summary: "vectors of texts, documents or pictures: pooled hidden states of a checkpoint",
  usage: "<checkpoint folder> (--text <text> | --file <file> | --corpus <folder> | --images <folder>) [options]",
  options: {
    text: { describe: "a text; may be repeated", placeholder: "text", multiple: true },
    file: { describe: "a file with one text a line", placeholder: "file" },
    corpus: { describe: "a run or a document store: its kept documents; needs --out", placeholder: "folder" },
    images: { describe: "pictures, for a model with two towers; needs --out", placeholder: "path" },
    out: { describe: "Parquet file to write, for tilth search", placeholder: "file" },
    replace: { describe: "replace what is at --out" },
    pooling: {
      describe: "mean, cls (first token), eos (last token) or last (of the text)",
      placeholder: "name",
      initial: "mean",
    },
    raw: { describe: "leave the vectors' length as it is instead of 1 (without --out)" },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "with --out: print what was written as one JSON object" },
  },
  examples: [
    'tilth embed runs/quickstart/checkpoints/step-0000500 --text "read a file" --text "open a document"',
    "tilth embed checkpoint --file sentences.txt --pooling cls > vectors.jsonl",
    "tilth embed checkpoint --corpus runs/quickstart --out vectors.parquet",
    "tilth embed clip --images photos --out photos.parquet",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    const file = input.text("file");
    const lines = file === undefined ? [] : readFileSync(file, "utf8").split("\n");
    const texts = [...input.list("text"), ...lines.filter((line) => line.trim() !== "")];
    const [corpus, images] = [input.text("corpus"), input.text("images")];
    const given = [texts.length > 0, corpus !== undefined, images !== undefined].filter(Boolean).length;
    if (checkpoint === undefined || given !== 1) {
      throw new UsageError("a checkpoint folder and one of --text or --file, --corpus, --images are needed", {
        remedy: "See: tilth embed --help",
      });
    }
    if (input.text("out") !== undefined) {
      const named = { texts, ...(file === undefined ? {} : { file: resolve(file) }) };
      return intoFile(
        checkpoint,
        corpus !== undefined ? { corpus: storeFolder(corpus) } : images !== undefined ? { images } : named,
        input,
      );
    }
    if (texts.length === 0) {
      throw new UsageError("documents and pictures are embedded into a file", { remedy: "Add: --out vectors.parquet" });
    }
    const progress = progressLine();
    const { vectors, width, cut } = await runJob(
      embedJob,
      {
        ...{ checkpoint, texts, normalize: !input.flag("raw"), device: { backend: input.text("backend") ?? "auto" } },
        pooling: input.choice("pooling", poolings) ?? "mean",
      },
      { onEvent: progress.update, signal: interruptSignal("stopping") },
    );
    progress.end();
    if (cut > 0) say(`tilth: ${cut} of ${texts.length} texts were longer than the model's context and were cut`);
    texts.forEach((text, row) => {
      const embedding = [...vectors.subarray(row * width, (row + 1) * width)];
      process.stdout.write(`${JSON.stringify({ text, embedding })}\n`);
    });
  },
};

async function intoFile(
  checkpoint: string,
  of: Parameters<typeof embedDocumentsJob.run>[0]["of"],
  input: CommandInput,
): Promise<void> {
  if (input.flag("raw")) throw new UsageError("vectors in a file have length 1: leave out --raw");
  const out = resolve(input.text("out")!);
  await requireReplaceable(input, out, "vectors", input.text("out"));
  const progress = progressLine();
  const written = await runJob(
    embedDocumentsJob,
    {
      ...{ checkpoint: resolve(checkpoint), of, out },
      pooling: input.choice("pooling", poolings) ?? "mean",
      device: { backend: input.text("backend") ?? "auto" },
    },
    { onEvent: progress.update, signal: interruptSignal("stopping") },
  );
  progress.end();
  if (input.flag("json")) {
    process.stdout.write(`${JSON.stringify({ out, ...written })}\n`);
    return;
  }
  const damaged = written.damaged === 0 ? "" : `, ${written.damaged} damaged pictures left out`;
  say(`${formatCount(written.rows)} vectors of ${written.width} numbers: ${out}${damaged}`);
  say(`Next: tilth search ${out} "<what to look for>"`);
}
