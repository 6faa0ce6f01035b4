import { resolve } from "node:path";
import { ggufTypes, huggingFaceTypes, onnxWeightTypes } from "../export/index.ts";
import { UsageError } from "../foundation/index.ts";
import { type ExportInput, exportJob, recordExport, runJob } from "../jobs/index.ts";
import { type Command, type CommandInput, keysOf } from "./command.ts";
import { requireReplaceable } from "./questions.ts";
import { interruptSignal, progressLine, say } from "./terminal.ts";

/** `tilth export` */
export const exportCommand: Command = {
  summary: "write a checkpoint as a Hugging Face folder, a GGUF file, ONNX or a folder of open_clip",
  usage: "<checkpoint folder> --to huggingface|gguf|onnx|open-clip --out <path> [options]",
  options: {
    to: {
      describe: "huggingface (transformers), gguf (llama.cpp), onnx (onnxruntime, transformers.js) or open-clip",
      placeholder: "format",
    },
    out: { describe: "the folder or file to write", placeholder: "path" },
    type: {
      describe: "f32, f16, bf16, and for gguf q8_0 (bf16 if left out, for onnx f32)",
      placeholder: "name",
    },
    "shard-bytes": {
      describe: "huggingface: the most that one file of weights holds",
      placeholder: "bytes",
      initial: "5000000000",
    },
    task: { describe: "onnx: what the model is for, e.g. feature-extraction of an encoder", placeholder: "name" },
    replace: { describe: "replace what is at --out" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    "tilth export runs/quickstart/checkpoint --to gguf --type q8_0 --out quickstart.gguf",
    "tilth export runs/quickstart/checkpoint --to huggingface --type bf16 --out exported",
    "tilth export runs/quickstart/checkpoint --to onnx --out quickstart-onnx",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    const out = input.text("out");
    if (checkpoint === undefined || out === undefined) {
      throw new UsageError("a checkpoint folder and --out are needed", { remedy: "See: tilth export --help" });
    }
    await requireReplaceable(input, out);
    const progress = progressLine();
    const asked = inputOf(input, resolve(checkpoint), resolve(out));
    const written = await runJob(exportJob, asked, {
      onEvent: progress.update,
      signal: interruptSignal("stopping"),
    });
    await recordExport(asked);
    progress.end();
    if (input.flag("json")) {
      process.stdout.write(`${JSON.stringify(written)}\n`);
      return;
    }
    say(`${written.tensors} tensors written to ${written.path}`);
    if ("notes" in written) for (const note of written.notes) say(note);
    if ("keptF16" in written && written.keptF16.length > 0) {
      say(
        `${written.keptF16.length} of them are f16, since their rows are no whole blocks of 32: ${written.keptF16[0]}, …`,
      );
    }
  },
};

function inputOf(input: CommandInput, checkpoint: string, out: string): ExportInput {
  const to = input.choice("to", ["huggingface", "gguf", "onnx", "open-clip"]);
  if (to === undefined) throw new UsageError("--to is needed: huggingface, gguf, onnx or open-clip");
  if (to === "gguf") return { checkpoint, out, to, type: input.choice("type", keysOf(ggufTypes)) ?? "bf16" };
  if (to === "onnx") {
    const type = input.choice("type", keysOf(onnxWeightTypes)) ?? "f32";
    return { checkpoint, out, to, type, task: input.text("task") };
  }
  const type = input.choice("type", keysOf(huggingFaceTypes)) ?? "bf16";
  if (to === "open-clip") return { checkpoint, out, to, type };
  const shardBytes = input.number("shard-bytes", { minimum: 1, whole: true }) ?? 5e9;
  return { checkpoint, out, to, type, shardBytes };
}
