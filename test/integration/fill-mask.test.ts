/** transformers' own tokenizer and fill-mask pipeline on folders that Tilth writes. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createBackend, Engine, tensorOver } from "../../src/engine/index.ts";
import {
  specialTokenIds,
  specialTokensMapJson,
  type Tokenizer,
  tokenizerConfigJson,
  trainBytePairEncoding,
  trainWordPiece,
} from "../../src/tokenizer/index.ts";
import { writeModel } from "../../src/training/index.ts";
import { writeTextFamily } from "../support/families.ts";

const python = process.env.TILTH_PYTHON;
const folder = mkdtempSync(join(tmpdir(), "tilth-fill-mask-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = `
import json, sys
from transformers import AutoTokenizer, pipeline
folder, text = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
mask = tokenizer.mask_token
text = text.replace("MASK", mask)
fill = pipeline("fill-mask", model=folder, tokenizer=tokenizer)
print(json.dumps({
    "ids": tokenizer(text)["input_ids"],
    "mask": tokenizer.mask_token_id,
    "pad": tokenizer.pad_token_id,
    "padOfConfig": fill.model.config.pad_token_id,
    "padded": tokenizer([text, "a"], padding=True)["input_ids"][1],
    "best": [one["token"] for one in fill(text, top_k=5)],
}))
`;

const license = readFileSync("LICENSE", "utf8");
const settings = { width: 32, layers: 2, attentionHeads: 4, context: 64 };
const cases = {
  roberta: () =>
    trainBytePairEncoding([license], {
      ...{ vocabularySize: 512, pattern: "gpt2" },
      specialTokens: ["<|endoftext|>", "<pad>", "<mask>"],
    }),
  bert: () => trainWordPiece([license], { vocabularySize: 512 }),
} satisfies Record<string, () => Promise<Tokenizer> | Tokenizer>;

it.skipIf(python === undefined).each(Object.keys(cases) as (keyof typeof cases)[])(
  `AutoTokenizer and fill-mask work on a %s folder (${python === undefined ? "TILTH_PYTHON is not set" : "runs"})`,
  async (name) => {
    const tokenizer = await cases[name]();
    const backend = await createBackend("reference");
    const engine = new Engine(backend);
    const place = join(folder, name);
    const configuration = { ...settings, vocabularySize: tokenizer.vocabularySize };
    const model = await writeTextFamily(place, backend, { name, configuration });
    const files = {
      "tokenizer.json": tokenizer.toJson(),
      "tokenizer_config.json": tokenizerConfigJson(tokenizer, 64),
      "special_tokens_map.json": specialTokensMapJson(tokenizer),
      "config.json": JSON.stringify(specialTokenIds(tokenizer)),
    };
    await writeModel(place, model, files);

    const text = 'You may "use" the MASK under this License.';
    const ran = spawnSync(python!, ["-c", program, place, text], { encoding: "utf8" });
    expect(ran.status, ran.stderr).toBe(0);
    const theirs = JSON.parse(ran.stdout) as {
      ids: number[];
      mask: number;
      pad: number;
      padOfConfig: number;
      padded: number[];
      best: number[];
    };
    const [maskName, padName] = name === "bert" ? ["[MASK]", "[PAD]"] : ["<mask>", "<pad>"];
    expect(theirs.mask).toBe(tokenizer.specialTokens.get(maskName));
    expect(theirs.pad).toBe(tokenizer.specialTokens.get(padName));
    expect(theirs.padOfConfig).toBe(theirs.pad);
    expect(theirs.padded.at(-1)).toBe(theirs.pad);
    // In byte-level BPE the mask takes the space before it, as a word does.
    const [before, after] = text.split("MASK");
    const expected = [
      ...tokenizer.encode(name === "bert" ? before : before.trimEnd()),
      theirs.mask,
      ...tokenizer.encode(after),
    ];
    const inner = name === "bert" ? theirs.ids.slice(1, -1) : theirs.ids;
    expect(inner).toEqual(expected);

    const tokens = Int32Array.from(theirs.ids);
    const at = tokens.indexOf(theirs.mask);
    const logits = await engine.scope({ record: false }, () => {
      const rows = Int32Array.of(at);
      const { hidden, head, headBias } = model.forward(engine, { sequences: 1, length: tokens.length, tokens, rows });
      const out = engine.allocate([1, tokenizer.vocabularySize]);
      backend.kernels.matmul(out, hidden.tensor, head.tensor, { transposeB: true });
      const { storage, offset } = headBias!.tensor;
      backend.kernels.addRows(out, out, tensorOver(storage, [1, tokenizer.vocabularySize], "f32", offset));
      return backend.read(out);
    });
    const best = [...logits.keys()].sort((a, b) => logits[b] - logits[a]).slice(0, 5);
    expect(theirs.best).toEqual(best);
    model.dispose();
    backend.dispose();
  },
);
