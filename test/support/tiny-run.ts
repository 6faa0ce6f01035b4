/** A run of seconds: a small Llama over tokens of a seeded Markov chain, with real shards, checkpoints and log. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, createBackend } from "../../src/engine/index.ts";
import { createMegatronWriter } from "../../src/formats/index.ts";
import { canonicalJson, hashOf, Random } from "../../src/foundation/index.ts";
import { llama, llamaConfiguration } from "../../src/models/index.ts";
import {
  decisiveSettings,
  type LoopOptions,
  RunLog,
  type RunRecord,
  runTraining,
  TokenStream,
  Trainer,
  trainingConfiguration,
} from "../../src/training/index.ts";

const vocabularySize = 48;

/** Everything of one run. `training` overrides the tiny defaults. */
export class TinyRun {
  readonly folder = mkdtempSync(join(tmpdir(), "tilth-tiny-"));
  readonly warnings: string[] = [];
  readonly records: RunRecord[] = [];

  constructor(private readonly training: Readonly<Record<string, unknown>> = {}) {
    mkdirSync(join(this.folder, "shards"));
    const random = new Random(7);
    for (const [split, tokens] of [
      ["train", 6000],
      ["validation", 800],
    ] as const) {
      const writer = createMegatronWriter(join(this.folder, "shards", split), vocabularySize);
      for (let written = 0; written < tokens; ) {
        const document = Int32Array.from({ length: 20 + random.below(60) }, () => 0);
        for (let i = 0, last = 1; i < document.length - 1; i++) {
          document[i] = last;
          last = random.below(4) === 0 ? 1 + random.below(vocabularySize - 1) : 1 + ((last * 5) % (vocabularySize - 1));
        }
        writer.add(document);
        written += document.length;
      }
      writer.finish();
    }
  }

  configuration(overrides: Readonly<Record<string, unknown>> = {}) {
    return trainingConfiguration.parse({
      ...{ steps: 12, sequenceLength: 16, batchSequences: 8, microBatchSequences: 4, learningRate: 1e-2 },
      ...{ validateEvery: 4, validationSequences: 8, checkpointEvery: 3, schedule: { warmupSteps: 2 } },
      ...this.training,
      ...overrides,
    });
  }

  async trainer(overrides: Readonly<Record<string, unknown>> = {}, threads = 1): Promise<Trainer> {
    const backend: Backend = await createBackend("cpu", { threads });
    const model = llamaConfiguration.parse({ vocabularySize, width: 16, layers: 2, attentionHeads: 2, context: 16 });
    return new Trainer(backend, llama, model, this.configuration(overrides));
  }

  /** Trains to the end; `change` may alter the trainer before its first step. */
  async train(
    options: {
      resume?: boolean;
      overrides?: Readonly<Record<string, unknown>>;
      threads?: number;
      change?: (trainer: Trainer) => void;
      loop?: Partial<LoopOptions<TokenStream>>;
    } = {},
  ): Promise<string> {
    const vocabulary = { size: vocabularySize, endOfText: 0, specialTokens: new Map(), startsWord: () => true };
    const streams = ["train", "validation"].map(
      (split) => new TokenStream(join(this.folder, "shards", split), vocabulary),
    );
    const trainer = await this.trainer(options.overrides, options.threads);
    options.change?.(trainer);
    try {
      return await runTraining(trainer, {
        runFolder: this.folder,
        train: streams[0],
        validation: streams[1],
        configurationHash: hashOf(canonicalJson(decisiveSettings(trainer.configuration))),
        files: { "README.md": "A tiny run.\n" },
        resume: options.resume ?? false,
        peakFlops: null,
        onRecord: (record) => this.records.push(record),
        onWarning: (message) => this.warnings.push(message),
        shouldStop: () => false,
        ...options.loop,
      });
    } finally {
      for (const stream of streams) stream.close();
      trainer.dispose();
      trainer.engine.backend.dispose();
    }
  }

  /** Step and loss of every step and validation in the log. */
  curve(): [string, number, number][] {
    return new RunLog(this.folder)
      .read()
      .flatMap((one) =>
        one.kind === "step" || one.kind === "validation" ? [[one.kind, one.step, one.loss] as const] : [],
      )
      .map(([kind, step, loss]) => [kind, step, loss]);
  }

  /** The bytes of a file of a step's checkpoint. */
  file(step: number, name: string): Buffer {
    return readFileSync(join(this.checkpoint(step), name));
  }

  checkpoint(step: number): string {
    return join(this.folder, "checkpoints", `step-${String(step).padStart(7, "0")}`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
