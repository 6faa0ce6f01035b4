/** Megatron's own reader on our shards. It needs TILTH_PYTHON with megatron-core; without it the test says so and is skipped. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createMegatronWriter } from "../../src/formats/index.ts";
import { Random } from "../../src/foundation/index.ts";

const python = process.env.TILTH_PYTHON;
const find =
  "import importlib.util as u, sys; sys.exit(u.find_spec('megatron') is None or u.find_spec('torch') is None)";
const missing =
  python === undefined
    ? "TILTH_PYTHON is not set"
    : spawnSync(python, ["-c", find]).status === 0
      ? undefined
      : `${python} has no megatron-core and torch: pip install megatron-core==0.16.1 torch`;

const folder = mkdtempSync(join(tmpdir(), "tilth-megatron-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(missing !== undefined)(
  `Megatron's IndexedDataset${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    it.each([
      ["uint16", 50_257],
      ["int32", 128_256],
    ])(
      "reads the same tokens and document boundaries from a shard of %s",
      { timeout: 180_000 },
      (dtype, vocabulary) => {
        const random = new Random(vocabulary);
        const documents = Array.from({ length: 3000 }, (_, index) =>
          // Lengths of one token, of a page, and one that is longer than the writer's buffer.
          Int32Array.from({ length: index === 9 ? 300_000 : 1 + random.below(index % 7 === 0 ? 3 : 400) }, () =>
            random.below(vocabulary),
          ),
        );
        documents[5] = Int32Array.from({ length: 20 }, (_, i) => vocabulary - 1 - i);
        const prefix = join(folder, dtype);
        const writer = createMegatronWriter(prefix, vocabulary);
        for (const one of documents) writer.add(one);
        writer.finish();

        const { stdout, stderr, status } = spawnSync(
          python!,
          [join(import.meta.dirname, "megatron_reader.py"), prefix],
          {
            encoding: "utf8",
            maxBuffer: 1 << 26,
          },
        );
        expect(status, stderr).toBe(0);
        const digest = createHash("sha256");
        for (const one of documents) digest.update(new Uint8Array(one.buffer));
        expect(JSON.parse(stdout.trim().split("\n").at(-1)!)).toEqual({
          sequences: documents.length,
          dtype,
          lengths: documents.map(({ length }) => length),
          documentIndices: Array.from({ length: documents.length + 1 }, (_, i) => i),
          sha256: digest.digest("hex"),
          firstTokens: documents.slice(0, 8).map((one) => [...one.subarray(0, 4)]),
          middle: [...documents[5].subarray(3, 10)],
        });
      },
    );
  },
);
