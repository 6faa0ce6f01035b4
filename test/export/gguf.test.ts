import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Backend, createBackend, Engine } from "../../src/engine/index.ts";
import { exportGguf, openCheckpoint } from "../../src/export/index.ts";
import { encodeTensor, type GgufType, readGguf, writeGguf } from "../../src/formats/index.ts";
import { TilthError } from "../../src/foundation/index.ts";
import { generateTokens } from "../../src/generation/index.ts";
import type { LanguageModel } from "../../src/models/index.ts";
import { type Tokenizer, tokenizerConfigJson } from "../../src/tokenizer/index.ts";
import { trainedTokenizer, writeLlama } from "../support/checkpoints.ts";
import { writeTextFamily } from "../support/families.ts";
import { llamaCppMissing, startLlamaCpp } from "../support/llama-cpp.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-gguf-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a GGUF file", () => {
  const file = join(folder, "small.gguf");
  const values = Float32Array.from({ length: 64 }, (_, i) => (i - 20) / 7);

  it.each<[GgufType, number]>([
    ["F32", 0],
    ["F16", 2 ** -9],
    ["BF16", 2 ** -6],
    ["Q8_0", 0.03],
  ])("comes back from %s within %f", (type, tolerance) => {
    writeGguf(
      file,
      {
        "general.architecture": { type: "string", value: "tést" },
        "a.list": { type: "array", of: "string", value: ["x", ""] },
        "a.number": { type: "uint64", value: 2n ** 40n },
        "a.flag": { type: "bool", value: true },
      },
      [
        { name: "odd", shape: [3], type: "F32", encode: () => encodeTensor(new Float32Array([1, 2, 3]), "F32", 3) },
        { name: "matrix", shape: [2, 32], type, encode: () => encodeTensor(values, type, 32) },
      ],
    );
    const read = readGguf(file);
    expect(read.metadata.get("general.architecture")?.value).toBe("tést");
    expect(read.metadata.get("a.list")?.value).toEqual(["x", ""]);
    expect(read.metadata.get("a.number")?.value).toBe(2n ** 40n);
    expect(read.metadata.get("a.flag")?.value).toBe(true);
    expect(read.tensors.get("matrix")?.begin).toSatisfy((begin: number) => begin % 32 === 0);
    expect([...read.floats("odd").data]).toEqual([1, 2, 3]);
    const { shape, data } = read.floats("matrix");
    expect(shape).toEqual([2, 32]);
    expect(Math.max(...data.map((value, i) => Math.abs(value - values[i])))).toBeLessThanOrEqual(tolerance);
    read.close();
  });

  it("is refused where it is cut, has another version, or is none", () => {
    const read = () => readGguf(file);
    writeFileSync(file, "GGUF");
    expect(read).toThrow(/does not begin with GGUF/);
    const header = Buffer.alloc(64);
    header.write("GGUF");
    header.writeUInt32LE(9, 4);
    writeFileSync(file, header);
    expect(read).toThrow(/version is 9/);
    header.writeUInt32LE(3, 4);
    header.writeBigUInt64LE(2n ** 60n, 8);
    writeFileSync(file, header);
    expect(read).toThrow(TilthError);
  });
});

describe.skipIf(llamaCppMissing() !== undefined)(
  `llama.cpp with exported weights (${llamaCppMissing() ?? "runs"})`,
  () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await createBackend("cpu");
    });
    afterAll(() => backend.dispose());

    /** The same tokens, logits and, where decided by more than rounding, greedy text as Tilth's. */
    async function compare(
      place: string,
      { model, tokenizer }: { model: LanguageModel; tokenizer: Tokenizer },
      { type, tolerance, greedy = type === "F32" }: { type: GgufType; tolerance: number; greedy?: boolean },
    ) {
      const engine = new Engine(backend);
      const checkpoint = openCheckpoint(place);
      const written = exportGguf(checkpoint, `${place}.gguf`, { type });
      checkpoint.weights.close();
      const peer = await startLlamaCpp(`${place}.gguf`, 128);
      try {
        const text = "The engine's 12 tensors,  and (some) words\n\n\twith tabs: naïve 東京.";
        const ids = tokenizer.encode(text);
        expect((await peer.ask("tokenize", { text })).tokens).toEqual([...ids]);

        const prompt = Int32Array.of(tokenizer.endOfText, ...ids);
        const theirs = (await peer.ask("logits", { tokens: [...prompt] })).logits as number[][];
        const ours = await engine.scope({ record: false }, () => {
          const { hidden, head } = model.forward(engine, { sequences: 1, length: prompt.length, tokens: prompt });
          const logits = engine.allocate([prompt.length, head.tensor.shape[0]]);
          backend.kernels.matmul(logits, hidden.tensor, head.tensor, { transposeB: true });
          return backend.read(logits);
        });
        const spread = Math.max(...ours.map(Math.abs));
        const difference = Math.max(...theirs.flat().map((logit, i) => Math.abs(logit - ours[i])));
        expect(difference / spread).toBeLessThan(tolerance);

        if (greedy) {
          const made: number[] = [];
          const options = { temperature: 0, topP: 1, topK: 0, seed: 1, maximumTokens: 40, endOfText: -1 };
          for await (const token of generateTokens(engine, model, prompt, options)) made.push(token);
          expect((await peer.ask("greedy", { tokens: [...prompt], count: 40 })).tokens).toEqual(made);
        }
      } finally {
        peer.close();
        model.dispose();
      }
      return written;
    }

    it.each<[GgufType, boolean, "gpt2" | "cl100k", number]>([
      ["F32", true, "gpt2", 1e-4],
      ["F32", false, "cl100k", 1e-4],
      ["F16", true, "gpt2", 0.005],
      ["BF16", false, "gpt2", 0.05],
      // llama.cpp rounds activations to eight bits too, in every product of the three layers.
      ["Q8_0", true, "gpt2", 0.1],
    ])(
      "Llama in %s, tied head %s, cut as %s: logits within %f of their spread",
      async (type, tiedEmbeddings, pattern, tolerance) => {
        const place = join(folder, `${type}-${tiedEmbeddings}`);
        await compare(place, await writeLlama(place, backend, { tiedEmbeddings, pattern }), { type, tolerance });
      },
    );

    const decoder = { vocabularySize: 520, width: 64, layers: 2, attentionHeads: 4, mlpWidth: 160, context: 128 };
    const grouped = { ...decoder, keyValueHeads: 2 };
    const ropeScaling = { factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 32 };
    const relatives = {
      gpt2: decoder,
      qwen2: { ...grouped, tiedEmbeddings: true },
      qwen3: { ...grouped, headSize: 32, tiedEmbeddings: true },
      mistral: { ...grouped, slidingWindow: 96, tiedEmbeddings: false },
      llama: { ...grouped, ropeScaling, tiedEmbeddings: false },
      "llama yarn": { ...grouped, ropeScaling: { kind: "yarn", factor: 4, originalContext: 32, attentionFactor: 1.2 } },
      "qwen2 linear": { ...grouped, ropeScaling: { kind: "linear", factor: 4 }, tiedEmbeddings: true },
    };
    it.each(
      Object.keys(relatives).flatMap((name) =>
        (
          [
            // llama.cpp looks GELU up in a table of f16.
            ["F32", name === "gpt2" ? 1e-3 : 1e-4],
            ["F16", 0.01],
            ["BF16", 0.06],
            ["Q8_0", 0.1],
          ] as const
        ).map(([type, tolerance]) => ({ name: name as keyof typeof relatives, type, tolerance })),
      ),
    )("$name in $type: logits within $tolerance of their spread", async ({ name, type, tolerance }) => {
      const place = join(folder, `${name}-${type}`);
      const tokenizer = await trainedTokenizer(512);
      const configuration = relatives[name];
      const files = {
        "tokenizer.json": tokenizer.toJson(),
        "tokenizer_config.json": tokenizerConfigJson(tokenizer, configuration.context),
      };
      const model = await writeTextFamily(place, backend, { name: name.split(" ")[0], configuration }, files);
      const { notes } = await compare(place, { model, tokenizer }, { type, tolerance });
      if (name === "mistral") expect(notes.join()).toMatch(/no sliding window .* 96 tokens/);
      else expect(notes).toEqual([]);
    });
  },
);
