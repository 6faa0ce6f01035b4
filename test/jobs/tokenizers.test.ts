import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseRunConfiguration } from "../../src/config/index.ts";
import { buildCorpus, type CorpusBuild } from "../../src/corpus/index.ts";
import { tokenizeInput } from "../../src/jobs/index.ts";
import { tokenizeJob } from "../../src/jobs/tokenize.ts";
import { vocabularyOf } from "../../src/jobs/vocabulary.ts";
import { chooseObjective } from "../../src/objectives/index.ts";
import { patternNames, readTokenizerJson } from "../../src/tokenizer/index.ts";
import { TokenStream } from "../../src/training/index.ts";
import { prose, writeFiles } from "../support/corpora.ts";

const root = mkdtempSync(join(tmpdir(), "tilth-tokenizers-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let corpus: CorpusBuild;

beforeAll(async () => {
  writeFiles(join(root, "texts"), Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${i}.md`, prose(20, i)])));
  corpus = await buildCorpus({
    sources: [{ reader: "folder", path: join(root, "texts") }],
    folder: join(root, "corpus"),
    settings: { licences: { accept: ["review", "attribute", "allow"] } },
    workers: 0,
  });
});

const run = (tokenizer: object, more: object = {}) =>
  parseRunConfiguration(
    {
      runFolder: root,
      corpus: { sources: [{ reader: "folder", path: "texts" }] },
      tokenizer: { vocabularySize: 400, ...tokenizer },
      training: { steps: 100, sequenceLength: 32 },
      model: { layers: 1, width: 32, attentionHeads: 2 },
      ...more,
    },
    "the test",
  );
const encoder = {
  objective: { kind: "masked-token" },
  model: { architecture: "bert", layers: 1, width: 32, attentionHeads: 2 },
};

async function tokenize(configuration: ReturnType<typeof run>, name: string) {
  const input = { ...tokenizeInput(configuration, corpus), folder: join(root, name) };
  await tokenizeJob.run(input, { emit: () => {}, shouldStop: () => false });
  const file = join(input.folder, "tokenizer.json");
  return { folder: input.folder, tokenizer: readTokenizerJson(file), text: readFileSync(file, "utf8") };
}

it.each(patternNames)("a run trains a tokenizer of the pattern %s", async (pattern) => {
  const { tokenizer, text } = await tokenize(run({ pattern }), pattern);
  expect(tokenizer).toMatchObject({ definition: { pattern }, vocabularySize: 400 });
  const cut = JSON.parse(text) as { pre_tokenizer: { pretokenizers?: { type: string }[] } };
  expect(JSON.stringify(cut.pre_tokenizer)).toContain(pattern === "gpt2" ? "ByteLevel" : "Split");
});

it("a run of masked tokens trains a WordPiece and hides tokens behind BERT's [MASK]", async () => {
  const configuration = run({ kind: "word-piece" }, encoder);
  const { tokenizer, folder } = await tokenize(configuration, "word-piece");
  expect([...tokenizer.specialTokens.keys()]).toEqual(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
  expect(tokenizer.decode(tokenizer.encode("The River. The OLD stone"))).toBe("the river . the old stone");
  const stream = new TokenStream(join(folder, "train"), vocabularyOf(tokenizer));
  const { objective } = chooseObjective(configuration.objective, 32);
  const batch = objective.draw(stream, [0, 1, 2, 3], { sequenceLength: 32, documentMask: true }, [1, 2]);
  stream.close();
  const hidden = [...batch.tokens].filter((id) => id === tokenizer.specialTokens.get("[MASK]"));
  expect(hidden.length).toBeGreaterThan(4);
  expect(hidden.length).toBeLessThanOrEqual(batch.targets.length);
});

it("refuses a WordPiece for next tokens, and a pattern that there is not", () => {
  expect(() => run({ kind: "word-piece" })).toThrow(/word-piece tokenizer loses white space/);
  expect(() => run({ pattern: "gpt5" })).toThrow(/pattern/);
});
