/** Damaged files of every kind that comes in: a clear error each, never a crash. TILTH_FUZZ_CASES asks for more cases. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend } from "../../src/engine/index.ts";
import { exportGguf, exportHuggingFace, openCheckpoint } from "../../src/export/index.ts";
import { readGguf, readSafetensorsFolder } from "../../src/formats/index.ts";
import { Random, TilthError } from "../../src/foundation/index.ts";
import { readTokenizerJson } from "../../src/tokenizer/index.ts";
import { openModelWeights, readModelConfiguration } from "../../src/training/index.ts";
import { writeLlama } from "../support/checkpoints.ts";

const cases = Number(process.env.TILTH_FUZZ_CASES ?? 5000);
const firstSeed = Number(process.env.TILTH_FUZZ_SEED ?? 1);
const folder = mkdtempSync(join(tmpdir(), "tilth-fuzz-"));
const [whole, sharded, gguf] = ["whole", "sharded", "model.gguf"].map((name) => join(folder, name));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy with seeded damage: bytes changed, a stretch cut, doubled or zeroed, numbers replaced, or the end missing. */
function damaged(good: Buffer, random: Random, headerBytes: number): Buffer {
  const place = () => random.below(random.below(4) > 0 ? Math.min(headerBytes, good.length) : good.length);
  const [at, length] = [place(), 1 + random.below(40)];
  switch (random.below(6)) {
    case 0:
      return good.subarray(0, at);
    case 1:
      return Buffer.concat([good.subarray(0, at), good.subarray(at + length)]);
    case 2:
      return Buffer.concat([good.subarray(0, at + length), good.subarray(at)]);
    case 3: {
      const out = Buffer.from(good);
      const value = [0, 0xff, 0x7f, 0x80][random.below(4)];
      return out.fill(value, at, Math.min(out.length, at + 1 + random.below(8)));
    }
    case 4: {
      // Digits of JSON, or lengths of GGUF, become others.
      const out = Buffer.from(good);
      for (let i = at; i < Math.min(out.length, at + length); i++)
        if (out[i] >= 48 && out[i] < 58) out[i] = 48 + random.below(10);
      return out;
    }
    default: {
      const out = Buffer.from(good);
      for (let i = 0; i <= random.below(4); i++) out[place()] = random.below(256);
      return out;
    }
  }
}

function readCheckpoint(place: string): void {
  const { architecture, configuration } = readModelConfiguration(place);
  const weights = openModelWeights(place, architecture, configuration);
  try {
    for (const name of weights.names) weights.floats(name);
  } finally {
    weights.close();
  }
}

function readGgufWhole(path: string): void {
  const file = readGguf(path);
  try {
    for (const [name, { bytes }] of file.tensors) if (bytes !== undefined) file.floats(name);
  } finally {
    file.close();
  }
}

const targets: { what: string; file: string; share: number; header: number; read: () => void }[] = [
  {
    what: "model.safetensors",
    file: join(whole, "model.safetensors"),
    share: 0.3,
    header: 3000,
    read: () => readCheckpoint(whole),
  },
  { what: "config.json", file: join(whole, "config.json"), share: 0.2, header: 1e9, read: () => readCheckpoint(whole) },
  {
    what: "tokenizer.json",
    file: join(whole, "tokenizer.json"),
    share: 0.15,
    header: 1e9,
    read: () => void readTokenizerJson(join(whole, "tokenizer.json")),
  },
  {
    what: "the index of shards",
    file: join(sharded, "model.safetensors.index.json"),
    share: 0.1,
    header: 1e9,
    read: () => readSafetensorsFolder(sharded).close(),
  },
  { what: "a GGUF file", file: gguf, share: 0.25, header: 20_000, read: () => readGgufWhole(gguf) },
];

describe("damaged checkpoints", () => {
  beforeAll(async () => {
    const backend = await createBackend("reference");
    await writeLlama(whole, backend, { context: 16 });
    const checkpoint = openCheckpoint(whole);
    await exportHuggingFace(checkpoint, sharded, { type: "bf16", shardBytes: 100_000 });
    exportGguf(checkpoint, gguf, { type: "Q8_0" });
    checkpoint.weights.close();
    backend.dispose();
  });

  it.each(targets)(
    "$what: a TilthError or a file that reads, whatever is damaged",
    ({ file, share, header, read, what }) => {
      const good = readFileSync(file);
      const count = Math.ceil(cases * share);
      let refused = 0;
      try {
        for (let seed = firstSeed; seed < firstSeed + count; seed++) {
          writeFileSync(file, damaged(good, new Random(seed), header));
          try {
            read();
          } catch (error) {
            const clear = error instanceof TilthError && error.message.length > 10;
            if (!clear) console.error(`${what}: seed ${seed} (TILTH_FUZZ_SEED=${seed} TILTH_FUZZ_CASES=1)`);
            expect(clear, `seed ${seed}: ${(error as Error).stack}`).toBe(true);
            refused += 1;
          }
        }
      } finally {
        writeFileSync(file, good);
      }
      read();
      // Damage in the tensors' numbers passes; most of the rest must be seen.
      expect(refused).toBeGreaterThan(count * 0.3);
    },
  );
});
