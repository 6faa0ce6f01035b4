/** What Tilth writes, read by peft and transformers. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoraAdapter, loraSettings, loraTargets, writePeftFolder } from "../../src/adaptation/index.ts";
import { type Backend, Engine } from "../../src/engine/index.ts";
import { adaptClassifyJob } from "../../src/jobs/adapt-classify.ts";
import { textFamilies, writeTextFamily } from "../support/families.ts";
import { device, listening, quick, sentences, workplace, writeLines } from "./support.ts";

const python = process.env.TILTH_PYTHON;
let place: { folder: string; checkpoint: string; backend: Backend };
beforeAll(async () => {
  place = await workplace();
});
afterAll(() => {
  place.backend.dispose();
  rmSync(place.folder, { recursive: true });
});

function run(program: string, ...args: string[]): number[] {
  const { stdout, stderr, status } = spawnSync(python!, ["-c", program, ...args], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as number[];
}

describe.skipIf(python === undefined)("with TILTH_PYTHON", () => {
  it("transformers gives the classes and loss of a fine-tuned checkpoint", async () => {
    const train = writeLines(join(place.folder, "train.jsonl"), sentences(120, 1));
    const test = writeLines(join(place.folder, "test.jsonl"), sentences(50, 2));
    const { report, output } = await adaptClassifyJob.run(
      {
        ...{ checkpoint: place.checkpoint, output: join(place.folder, "out"), device, settings: quick({ steps: 30 }) },
        ...{ merge: false, train, test, what: "sequence", validationShare: 0.25, fromScratch: false },
        fields: { text: "text", label: "label" },
      },
      listening(),
    );
    const program = `
import json, sys, torch
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
tokenizer = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1] + "/tokenizer.json")
rows = [json.loads(line) for line in open(sys.argv[2])]
losses, right = [], []
for row in rows:
    ids = torch.tensor([[model.config.pad_token_id] + tokenizer(row["text"])["input_ids"]])
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    label = model.config.label2id[row["label"]]
    losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor([label])).item())
    right.append(int(logits.argmax()) == label)
print(json.dumps([sum(losses) / len(rows), sum(right) / len(rows)]))`;
    const [loss, accuracy] = run(program, output, test);
    expect(loss).toBeCloseTo(report.test!.loss, 4);
    expect(accuracy).toBe(report.test!.accuracy.value);
  });

  it("peft loads a classifier's adapter with its head, and gives the same loss", async () => {
    const train = writeLines(join(place.folder, "train.jsonl"), sentences(120, 1));
    const test = writeLines(join(place.folder, "test.jsonl"), sentences(20, 2));
    const settings = quick({ steps: 20, lora: { rank: 4 } });
    const { report, output } = await adaptClassifyJob.run(
      {
        ...{ checkpoint: place.checkpoint, output: join(place.folder, "adapter"), device, settings, merge: false },
        ...{ train, test, what: "sequence", validationShare: 0.25, fromScratch: false },
        fields: { text: "text", label: "label" },
      },
      listening(),
    );
    const program = `
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast
base = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], num_labels=2, dtype=torch.float32)
model = PeftModel.from_pretrained(base, sys.argv[2])
tokenizer = PreTrainedTokenizerFast(tokenizer_file=sys.argv[1] + "/tokenizer.json")
rows = [json.loads(line) for line in open(sys.argv[3])]
end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
losses = []
for row in rows:
    ids = torch.tensor([[end] + tokenizer(row["text"])["input_ids"]])
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor([["bad", "good"].index(row["label"])])).item())
print(json.dumps([sum(losses) / len(rows)]))`;
    const [loss] = run(program, place.checkpoint, output, test);
    expect(loss).toBeCloseTo(report.test!.loss, 4);
  });

  it.each(["llama", "gpt2", "qwen2"])("peft loads an adapter, and gives the same logits: %s", async (name) => {
    const folder = join(place.folder, name);
    const engine = new Engine(place.backend);
    const model = await writeTextFamily(folder, place.backend, { name, ...textFamilies[name] });
    const settings = loraSettings.parse({ rank: 4 });
    const adapter = new LoraAdapter(
      engine,
      model,
      settings,
      loraTargets(model.architecture, model.configuration, settings),
    );
    adapter.arena.initialize(3);
    for (const target of adapter.targets) {
      const { b } = adapter.matricesOf(target);
      place.backend.write(
        b,
        Float32Array.from({ length: b.shape[0] * b.shape[1] }, (_, i) => Math.sin(i) / 10),
      );
    }
    adapter.attach();
    mkdirSync(join(folder, "adapter"));
    await writePeftFolder(join(folder, "adapter"), adapter, { base: folder, task: "CAUSAL_LM" });
    const tokens = Int32Array.from({ length: 12 }, (_, i) => (i * 7) % 120);
    const found = await engine.scope({ record: false }, () => {
      const { hidden, head } = model.forward(engine, { sequences: 1, length: 12, tokens });
      const logits = engine.allocate([12, head.tensor.shape[0]]);
      place.backend.kernels.matmul(logits, hidden.tensor, head.tensor, { transposeB: true });
      return place.backend.read(logits);
    });
    writeFileSync(join(folder, "ids.json"), JSON.stringify([...tokens]));
    const program = `
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32), sys.argv[1] + "/adapter")
ids = torch.tensor([json.load(open(sys.argv[1] + "/ids.json"))])
with torch.no_grad():
    print(json.dumps(model(input_ids=ids).logits.flatten().tolist()))`;
    const expected = run(program, folder);
    const difference = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i])), 0);
    expect(difference).toBeLessThan(1e-4);
    adapter.dispose();
    model.dispose();
  });
});

it.skipIf(python !== undefined)(
  "the comparison with peft and transformers needs TILTH_PYTHON, a Python that has them",
  () => {
    expect(python).toBeUndefined();
  },
);
