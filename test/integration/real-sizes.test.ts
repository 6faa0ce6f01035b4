/**
 * Folders that transformers and open_clip write at real sizes: they load, give the same outputs, train on, and load back in
 * the library that wrote them. `real_sizes.py` writes and reads; TILTH_REAL_SIZES names kinds, all if it is not set.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { AdamW, type Backend, createBackend, Engine, tensorOver } from "../../src/engine/index.ts";
import { exportOpenClip, openCheckpoint } from "../../src/export/index.ts";
import { readSafetensorsFolder } from "../../src/formats/index.ts";
import type { ImageTextModel, LanguageModel } from "../../src/models/index.ts";
import { chooseObjective, contrastiveStep, embedPairs, type ObjectiveBatch } from "../../src/objectives/index.ts";
import {
  loadWeights,
  readImageTextConfiguration,
  readModelConfiguration,
  Trainer,
  trainingConfiguration,
  writeModel,
} from "../../src/training/index.ts";

const python = process.env.TILTH_PYTHON;
const kinds = (process.env.TILTH_REAL_SIZES ?? "gpt2,llama,bert,clip,open_clip").split(",");
const folder = mkdtempSync(join(tmpdir(), "tilth-real-sizes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function runPython(command: "write" | "check", kind: string, root: string): void {
  const ran = spawnSync(python!, [join(import.meta.dirname, "real_sizes.py"), command, kind, root], {
    encoding: "utf8",
    env: { ...process.env, HF_HUB_OFFLINE: "1", TQDM_DISABLE: "1" },
  });
  expect(ran.status, ran.stderr).toBe(0);
}

function floats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** The smallest cosine of two rows. */
function smallestCosine(ours: Float32Array, theirs: Float32Array, width: number): number {
  expect(ours.length).toBe(theirs.length);
  let smallest = 1;
  for (let start = 0; start < ours.length; start += width) {
    let [product, one, other] = [0, 0, 0];
    for (let i = start; i < start + width; i++) {
      product += ours[i] * theirs[i];
      one += ours[i] ** 2;
      other += theirs[i] ** 2;
    }
    smallest = Math.min(smallest, product / Math.sqrt(one * other));
  }
  return smallest;
}

interface Input {
  readonly ids: number[][];
  /** Rows and width of the outputs. */
  readonly shape: readonly [number, number];
}

/** A loaded model: its outputs, and steps that train it. */
interface Subject {
  outputs(): Promise<Float32Array>;
  /** Takes a step, returns the loss before it. */
  step(): Promise<number>;
  save(path: string): Promise<void>;
  dispose(): void;
}

const optimizerSettings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maximumGradientNorm: 1 };

function textSubject(place: string, backend: Backend, { ids: [ids], shape: [, vocabulary] }: Input): Subject {
  const { architecture, configuration } = readModelConfiguration(place);
  const length = ids.length;
  const tokens = Int32Array.from(ids);
  const isEncoder = architecture.family === "encoder";
  const training = trainingConfiguration.parse({
    steps: 100,
    learningRate: 1e-4,
    schedule: { kind: "warmup-stable-decay", warmupSteps: 0, decayShare: 0 },
  });
  const { objective } = chooseObjective({ kind: isEncoder ? "masked-token" : "next-token" }, length);
  const trainer = new Trainer(backend, architecture, configuration, training, objective);
  const model = trainer.model as LanguageModel;
  loadWeights(place, model);
  const rows = Int32Array.from({ length: 8 }, (_, i) => 3 + 5 * i);
  const batch: ObjectiveBatch = {
    ...{ sequences: 1, length, tokens },
    ...(isEncoder && { rows }),
    targets: isEncoder ? rows.map((row) => tokens[row]) : Int32Array.from(ids, (_, i) => ids[i + 1] ?? -1),
    targetCount: isEncoder ? rows.length : length - 1,
  };
  return {
    outputs: () =>
      trainer.engine.scope({ record: false }, () => {
        const { hidden, head, headBias } = model.forward(trainer.engine, { sequences: 1, length, tokens });
        const out = trainer.engine.allocate([length, vocabulary]);
        backend.kernels.matmul(out, hidden.tensor, head.tensor, { transposeB: true });
        if (headBias !== undefined) {
          const { storage, offset } = headBias.tensor;
          backend.kernels.addRows(out, out, tensorOver(storage, [1, vocabulary], "f32", offset));
        }
        return backend.read(out);
      }),
    step: async () => (await trainer.takeStepOn([batch])).loss,
    save: (path) => writeModel(path, model, {}),
    dispose: () => trainer.dispose(),
  };
}

function pairSubject(place: string, backend: Backend, { ids }: Input, isOpenClip: boolean): Subject {
  const { architecture, configuration } = readImageTextConfiguration(place);
  const engine = new Engine(backend);
  const model = architecture.create(engine, configuration) as ImageTextModel;
  loadWeights(place, model);
  const batch = {
    ...{ pairs: ids.length, imageSize: 224, pixels: floats(join(place, "pixels.bin")) },
    texts: { sequences: ids.length, length: ids[0].length, tokens: Int32Array.from(ids.flat()) },
  };
  const optimizer = new AdamW(model.arena, optimizerSettings);
  return {
    async outputs() {
      const { images, texts } = await embedPairs(engine, model, batch, batch.pairs);
      return Float32Array.from([...images, ...texts]);
    },
    async step() {
      const loss = await contrastiveStep(engine, model, batch, batch.pairs);
      // Three pairs alone: larger steps overshoot.
      optimizer.update(1e-5);
      return loss;
    },
    async save(path) {
      if (!isOpenClip) return writeModel(path, model, {});
      await writeModel(`${path}-huggingface`, model, {});
      const checkpoint = openCheckpoint(`${path}-huggingface`);
      await exportOpenClip(checkpoint, path, { type: "f32" });
      checkpoint.weights.close();
    },
    dispose() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

describe.skipIf(python === undefined)(
  `folders of transformers and open_clip (${python === undefined ? "TILTH_PYTHON is not set" : "run"})`,
  () => {
    it.each(kinds)("%s", async (kind) => {
      const root = join(folder, kind);
      runPython("write", kind, root);
      const backend = await createBackend("cpu", { precision: "f32" });
      const isPair = kind.endsWith("clip");
      const variants = readdirSync(root).sort();
      expect(variants).toHaveLength(3);
      for (const variant of variants) {
        const place = join(root, variant);
        const input = JSON.parse(readFileSync(join(place, "input.json"), "utf8")) as Input;
        const width = input.shape[1];
        const subject = isPair
          ? pairSubject(place, backend, input, kind === "open_clip")
          : textSubject(place, backend, input);
        const cosine = smallestCosine(await subject.outputs(), floats(join(place, "expected.bin")), width);
        const files = readSafetensorsFolder(place);
        const row: Record<string, unknown> = { kind, variant, files: files.files.length, cosine };
        files.close();
        expect(cosine, `${kind} ${variant}`).toBeGreaterThanOrEqual(0.9999);

        if (variant === variants[0]) {
          const losses = [await subject.step(), await subject.step(), await subject.step()];
          expect(losses[2], losses.join()).toBeLessThan(losses[0]);
          const trained = join(root, "trained");
          mkdirSync(trained);
          await subject.save(trained);
          const ours = await subject.outputs();
          subject.dispose();
          runPython("check", kind, root);
          const back = smallestCosine(ours, floats(join(root, "back.bin")), width);
          Object.assign(row, { losses, cosineLoadedBack: back });
          expect(back, `${kind} ${variant}, loaded back`).toBeGreaterThanOrEqual(0.9999);
          rmSync(trained, { recursive: true, force: true });
        } else subject.dispose();
        console.log(JSON.stringify(row));
        rmSync(place, { recursive: true, force: true });
      }
      backend.dispose();
    });
  },
);
