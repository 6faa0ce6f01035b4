import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { LogFeed } from "../../src/dashboard/log-feed.ts";
import type { ColumnsHeader } from "../../src/dashboard/protocol.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-feed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const step = (number: number, loss: number) =>
  `${JSON.stringify({ kind: "step", step: number, loss, learningRate: 0.1, gradientNorm: 1, tokens: 10, tokensPerSecond: 5, mfu: null, hostShare: null, dataShare: 0 })}\n`;

const none = { step: 0, validation: 0, checkpoint: 0 };

/** The columns of a group by name, from the bytes that the page gets. */
function decode(bytes: Buffer): { header: ColumnsHeader; column(name: string): number[] } {
  const length = bytes.readUInt32LE();
  const header = JSON.parse(bytes.toString("utf8", 4, 4 + length)) as ColumnsHeader;
  return {
    header,
    column(name) {
      let offset = 4 + length;
      const count = header.rows.step - header.groups.step.from;
      for (const own of header.groups.step.columns) {
        const wide = own === "step" || own === "tokens";
        const end = offset + count * (wide ? 8 : 4);
        if (own === name) {
          const part = bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + end) as ArrayBuffer;
          return [...(wide ? new Float64Array(part) : new Float32Array(part))];
        }
        offset += Math.ceil((end - offset) / 8) * 8;
      }
      throw new Error(`no column ${name}`);
    },
  };
}

it("reads a log as it grows, waits for the end of a line, passes over what is no record, and starts again where it was cut", async () => {
  const path = join(folder, "log.jsonl");
  const feed = new LogFeed(path);
  expect(await feed.read()).toBe(false);
  writeFileSync(path, step(1, 4) + step(2, 3) + step(3, 2).slice(0, 30));
  expect(await feed.read()).toBe(true);
  expect(feed.position.rows.step).toBe(2);
  appendFileSync(path, step(3, 2).slice(30));
  appendFileSync(
    path,
    `not json\nnull\n7\n{"kind":"step"}\n${JSON.stringify({ kind: "sample", step: 3, prompt: "a", text: "b" })}\n`,
  );
  expect(await feed.read()).toBe(true);
  expect(await feed.read()).toBe(false);
  expect(feed.position).toEqual({ generation: 1, rows: { step: 3, validation: 0, checkpoint: 0 }, notes: 1 });
  const all = decode(feed.columnsFrom(0, none));
  expect(all.column("step")).toEqual([1, 2, 3]);
  expect(all.column("tokens")).toEqual([10, 20, 30]);
  expect(all.column("train/loss")).toEqual([4, 3, 2]);
  const added = decode(feed.columnsFrom(1, { ...none, step: 2 }));
  expect(added.column("train/loss")).toEqual([2]);
  // A resumed run cuts its log: the page must not keep what is no longer there.
  writeFileSync(path, step(1, 4));
  await feed.read();
  expect(feed.position).toMatchObject({ generation: 2, rows: { step: 1 }, notes: 0 });
  expect(decode(feed.columnsFrom(1, { ...none, step: 3 })).column("train/loss")).toEqual([4]);
});

it("takes lines whose characters are cut between two pieces of reading", async () => {
  const path = join(folder, "long.jsonl");
  const text = "ü€😀".repeat(500);
  const line = `${JSON.stringify({ kind: "sample", step: 1, prompt: "", text })}\n`;
  writeFileSync(path, line.repeat(1000));
  const feed = new LogFeed(path);
  await feed.read();
  expect(feed.notes).toHaveLength(1000);
  expect(new Set(feed.notes.map((note) => (note.kind === "sample" ? note.text : "")))).toEqual(new Set([text]));
});
