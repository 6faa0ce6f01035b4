/** A pass that records nothing frees what it needs no more: it must free nothing else. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Backend, createBackend, Engine } from "../../src/engine/index.ts";
import { loadWeights, readModelConfiguration } from "../../src/training/index.ts";
import { textFamilies, writeTextFamily } from "../support/families.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-passes-"));
let backend: Backend;
beforeAll(async () => {
  backend = await createBackend("reference");
});
afterAll(() => {
  backend.dispose();
  rmSync(folder, { recursive: true, force: true });
});

it.each(Object.entries(textFamilies))(
  "%s computes the same bits with and without a tape, and comes back from its folder bit for bit",
  async (name, { architecture = name, configuration }) => {
    const place = join(folder, name);
    const model = await writeTextFamily(place, backend, { name: architecture, configuration });
    const engine = new Engine(backend);
    for (const length of [1, 5, 33]) {
      const batch = { sequences: 1, length, tokens: Int32Array.from({ length }, (_, i) => (i * 7) % 131) };
      const states = (record: boolean) =>
        engine.scope({ record }, () => backend.read(model.encode(engine, batch).tensor));
      expect(await states(false)).toEqual(await states(true));
    }
    const read = readModelConfiguration(place);
    const again = read.architecture.create(engine, read.configuration);
    loadWeights(place, again);
    expect(await backend.read(again.arena.valueArena())).toEqual(await backend.read(model.arena.valueArena()));
    again.dispose();
    model.dispose();
  },
);
