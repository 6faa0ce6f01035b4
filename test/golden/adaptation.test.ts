import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  assistantTokens,
  type ChatMessage,
  ChatTemplate,
  ImageHead,
  JointOptimizer,
  type LoraAdapter,
  plainTemplate,
  preferenceGradients,
  preferenceLossNames,
  readPeftFolder,
  referenceLogProbabilities,
  TextHead,
  textTasks,
} from "../../src/adaptation/index.ts";
import { type Backend, createBackend, Engine } from "../../src/engine/index.ts";
import { readSafetensors, writeSafetensors } from "../../src/formats/index.ts";
import {
  architectureOfHuggingFace,
  clip,
  type ImageTextModel,
  type LanguageModel,
  mappedTensor,
} from "../../src/models/index.ts";
import { headLoss } from "../../src/objectives/index.ts";
import { readTokenizerJson } from "../../src/tokenizer/index.ts";
import { loadWeights } from "../../src/training/index.ts";

const fixtures = "test/golden/fixtures/adaptation";
const backends = ["reference", "cpu"] as const;

/** A model with the weights of a file, which is put where Tilth looks for it. */
function modelFrom(engine: Engine, config: Record<string, unknown>, weights: string): LanguageModel {
  const architecture = architectureOfHuggingFace(config);
  const model = architecture.create(engine, architecture.fromHuggingFace(config));
  const folder = mkdtempSync(join(tmpdir(), "tilth-golden-"));
  const file = readSafetensors(weights);
  writeSafetensors(
    join(folder, "model.safetensors"),
    file.names.map((name) => file.raw(name)),
    {},
  );
  file.close();
  loadWeights(folder, model);
  rmSync(folder, { recursive: true });
  return model;
}

function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  return Array.from(found).reduce((most, value, index) => Math.max(most, Math.abs(value - expected[index])), 0);
}

async function logitsOf(engine: Engine, hidden: { tensor: { shape: readonly number[] } }, weight: { tensor: never }) {
  const out = engine.allocate([hidden.tensor.shape[0], (weight.tensor as { shape: number[] }).shape[0]]);
  engine.backend.kernels.matmul(out, hidden.tensor as never, weight.tensor, { transposeB: true });
  return engine.backend.read(out);
}

interface HeadGolden {
  readonly config: Record<string, unknown>;
  readonly tokens: number[];
  readonly lengths: number[];
  readonly length: number;
  readonly sequence: number[];
  readonly token: number[];
}

describe.each(backends)("classification heads on %s", (name) => {
  it.each(["gpt2", "llama", "bert", "roberta", "modernbert"])("give transformers' logits: %s", async (kind) => {
    const golden = JSON.parse(readFileSync(`${fixtures}/heads-${kind}.json`, "utf8")) as HeadGolden;
    const backend = await createBackend(name);
    const engine = new Engine(backend);
    const model = modelFrom(engine, golden.config, `${fixtures}/heads-${kind}.safetensors`);
    const { length, lengths } = golden;
    const tokens = Int32Array.from(golden.tokens);
    const batch = {
      ...{ sequences: lengths.length, length, tokens },
      ...(model.architecture.family === "encoder" && {
        visibleFrom: new Int32Array(tokens.length),
        visibleTo: Int32Array.from(tokens, (_, i) => lengths[Math.floor(i / length)]),
      }),
    };
    const extra = readSafetensors(`${fixtures}/heads-${kind}-extra.safetensors`);
    for (const task of textTasks) {
      const head = new TextHead(model, task, 3, 1);
      for (const mapping of head.names.weights) {
        backend.write(mappedTensor(head.arena, mapping), extra.floats(`${task}/${mapping.name}`).data);
      }
      if (task === "sequence" && kind === "modernbert") writeOwnHead(model, extra, task);
      if (task === "token" && kind === "modernbert") writeOwnHead(model, extra, task);
      const rows = lengths.flatMap((count, row) => Array.from({ length: count }, (_, at) => row * length + at));
      const logits = await engine.scope({ record: false }, async () => {
        const { hidden, weight, bias } = head.logits(engine, batch, lengths, Int32Array.from(rows));
        const values = await logitsOf(engine, hidden, weight as never);
        const added = bias && (await backend.read(bias.tensor));
        return values.map((value, index) => value + (added?.[index % 3] ?? 0));
      });
      expect(largestDifference(logits, golden[task]), task).toBeLessThan(2e-5);
      head.dispose();
    }
    extra.close();
    model.dispose();
    backend.dispose();
  });
});

it.each(backends)("a head on CLIP's vision tower gives transformers' logits on %s", async (name) => {
  const file = readFileSync(`${fixtures}/heads-clip.json`, "utf8");
  const golden = JSON.parse(file) as { config: Record<string, unknown>; pixels: number[]; logits: number[] };
  const backend = await createBackend(name);
  const engine = new Engine(backend);
  const folder = mkdtempSync(join(tmpdir(), "tilth-golden-"));
  copyFileSync(`${fixtures}/heads-clip.safetensors`, join(folder, "model.safetensors"));
  const model = clip.create(engine, clip.fromHuggingFace(golden.config)) as unknown as ImageTextModel;
  loadWeights(folder, model);
  const head = new ImageHead(model, 3, 1);
  const weights = readSafetensors(join(folder, "model.safetensors"));
  for (const mapping of head.names.weights) {
    backend.write(mappedTensor(head.arena, mapping), weights.floats(mapping.name).data);
  }
  weights.close();
  const logits = await engine.scope({ record: false }, async () => {
    const pixels = engine.constant(Float32Array.from(golden.pixels), [2, 3, 12, 12]);
    const { hidden, weight, bias } = head.logits(engine, { images: 2, pixels });
    const values = await logitsOf(engine, hidden, weight as never);
    const added = await backend.read(bias!.tensor);
    return values.map((value, index) => value + added[index % 3]);
  });
  expect(largestDifference(logits, golden.logits)).toBeLessThan(2e-5);
  rmSync(folder, { recursive: true });
  backend.dispose();
});

/** ModernBERT's prediction layers belong to the model; each of transformers' classes has them with its own weights. */
function writeOwnHead(model: LanguageModel, extra: ReturnType<typeof readSafetensors>, task: string): void {
  for (const mapping of model.architecture.weights(model.configuration).filter((one) => one.name.startsWith("head."))) {
    const name = `${task}/${mapping.name}`;
    if (extra.has(name)) model.arena.backend.write(mappedTensor(model.arena, mapping), extra.floats(name).data);
  }
}

interface LoraGolden {
  readonly config: Record<string, unknown>;
  readonly tokens: number[];
  readonly targets: number[];
  readonly sequences: number;
  readonly length: number;
  readonly logits: number[];
  readonly loss: number;
  readonly losses: number[];
}

describe.each(backends)("LoRA on %s", (name) => {
  describe.each(["llama", "gpt2"])("peft's adapter of a small %s", (kind) => {
    const folder = `${fixtures}/lora-${kind}`;
    const golden = JSON.parse(readFileSync(`${folder}/golden.json`, "utf8")) as LoraGolden;
    const targets = Int32Array.from(golden.targets);
    const count = targets.filter((target) => target >= 0).length;
    const batch = { sequences: golden.sequences, length: golden.length, tokens: Int32Array.from(golden.tokens) };

    async function adapted(): Promise<{
      backend: Backend;
      engine: Engine;
      model: LanguageModel;
      adapter: LoraAdapter;
    }> {
      const backend = await createBackend(name);
      const engine = new Engine(backend, { use: { matrices: "f32" } });
      const model = modelFrom(engine, golden.config, `${folder}/model.safetensors`);
      const adapter = readPeftFolder(folder, engine, model);
      adapter.attach();
      return { backend, engine, model, adapter };
    }
    const logits = (engine: Engine, model: LanguageModel) =>
      engine.scope({ record: false }, () => {
        const { hidden, head } = model.forward(engine, batch);
        return logitsOf(engine, hidden, head as never);
      });
    const step = (engine: Engine, model: LanguageModel) =>
      engine.scope({ record: true }, () => {
        const { loss } = headLoss(engine, model.forward(engine, batch), targets, count);
        engine.backward(loss);
        return engine.scalar(loss);
      });

    it("gives the same logits, loss and gradients", async () => {
      const { backend, engine, model, adapter } = await adapted();
      expect(largestDifference(await logits(engine, model), golden.logits)).toBeLessThan(2e-5);
      expect(await step(engine, model)).toBeCloseTo(golden.loss, 5);
      const gradients = readSafetensors(`${folder}/gradients.safetensors`);
      for (const target of adapter.targets) {
        const { a, b } = adapter.matricesOf(target);
        for (const [letter, tensor] of Object.entries({ A: a, B: b })) {
          const whole = [...adapter.arena.parameters.values()].find((one) => one.tensor.storage === tensor.storage)!;
          const found = await backend.read({ ...tensor, storage: whole.parameterGradient.storage });
          const expected = gradients.floats(`base_model.model.${target.module}.lora_${letter}.weight`).data;
          expect(largestDifference(found, expected), `${target.module} ${letter}`).toBeLessThan(1e-5);
        }
      }
      gradients.close();
      backend.dispose();
    });

    it("takes the same AdamW steps", async () => {
      const { backend, engine, model, adapter } = await adapted();
      const optimizer = new JointOptimizer(engine, [adapter.arena], { weightDecay: 0.01, maximumGradientNorm: 1e9 });
      for (const expected of golden.losses) {
        expect(await step(engine, model)).toBeCloseTo(expected, 4);
        await optimizer.update(1e-2);
      }
      backend.dispose();
    });

    it("computes the same merged, within 1e-5, and unmerged again", async () => {
      const { backend, engine, model, adapter } = await adapted();
      const unmerged = await logits(engine, model);
      adapter.merge();
      expect(largestDifference(await logits(engine, model), unmerged)).toBeLessThan(1e-5);
      adapter.unmerge();
      expect(largestDifference(await logits(engine, model), unmerged)).toBeLessThan(1e-5);
      adapter.detach();
      expect(largestDifference(await logits(engine, model), unmerged)).toBeGreaterThan(1e-2);
      backend.dispose();
    });
  });
});

interface ChatGolden {
  readonly name: string;
  readonly template: string;
  readonly messages: ChatMessage[];
  readonly text: string;
  readonly ids: number[];
  readonly mask: number[];
}

describe("chat templates", () => {
  const tokenizer = readTokenizerJson(`${fixtures}/chat-tokenizer.json`);
  const goldens = JSON.parse(readFileSync(`${fixtures}/chats.json`, "utf8")) as ChatGolden[];
  const special = { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" };
  const untagged = (template: string) => template.replaceAll(/\{% (end)?generation %\}/g, "");

  it.each(goldens)(
    "give transformers' text, tokens and assistant mask: $name",
    ({ template, messages, text, ids, mask }) => {
      const rendered = new ChatTemplate(template, special).render(messages);
      expect(rendered.text).toBe(text);
      const found = assistantTokens(tokenizer, rendered);
      expect([...found.ids]).toEqual(ids);
      expect(found.isAssistant.map(Number)).toEqual(mask);
    },
  );

  it("know what the assistant says without tags, from what each message adds", () => {
    const template = plainTemplate;
    for (const { messages } of goldens) {
      const [tagged, without] = [template, untagged(template)].map((one) =>
        assistantTokens(tokenizer, new ChatTemplate(one, special).render(messages)),
      );
      expect(without).toEqual(tagged);
      expect(tagged.isAssistant.filter(Boolean).length).toBeGreaterThan(5);
    }
  });

  it("say where they cannot be used", () => {
    expect(() => new ChatTemplate("{% if %}", special, "my.jinja")).toThrow("my.jinja cannot be used");
  });
});

describe.each(backends)("preferences on %s", (name) => {
  interface PreferenceGolden {
    readonly config: Record<string, unknown>;
    readonly pairs: { readonly prompt: number[]; readonly chosen: number[]; readonly rejected: number[] }[];
    readonly beta: number;
    readonly sigmoid: number;
    readonly ipo: number;
  }
  const golden = JSON.parse(readFileSync(`${fixtures}/dpo.json`, "utf8")) as PreferenceGolden;

  it.each(preferenceLossNames)("give trl's loss and gradients: %s", async (loss) => {
    const backend = await createBackend(name);
    const engine = new Engine(backend);
    const policy = modelFrom(engine, golden.config, `${fixtures}/dpo-policy.safetensors`);
    const reference = modelFrom(engine, golden.config, `${fixtures}/dpo-reference.safetensors`);
    const pairs = golden.pairs.map(({ prompt, chosen, rejected }) => {
      const continuation = (ids: number[]) => ({ tokens: Int32Array.from([...prompt, ...ids]), from: prompt.length });
      return { prompt: Int32Array.from(prompt), chosen: continuation(chosen), rejected: continuation(rejected) };
    });
    const settings = { loss, beta: golden.beta };
    const before = await referenceLogProbabilities(engine, reference, pairs);
    expect(await preferenceGradients(engine, policy, pairs, before, settings)).toBeCloseTo(golden[loss], 5);
    const gradients = readSafetensors(`${fixtures}/dpo-gradients.safetensors`);
    for (const mapping of policy.architecture.weights(policy.configuration)) {
      const { storage } = policy.arena.get(mapping.parameter).parameterGradient;
      const found = await backend.read({ ...mappedTensor(policy.arena, mapping), storage });
      const expected = gradients.floats(`${loss}/${mapping.name}`).data;
      expect(largestDifference(found, expected), mapping.name).toBeLessThan(2e-5);
    }
    gradients.close();
    backend.dispose();
  });
});
