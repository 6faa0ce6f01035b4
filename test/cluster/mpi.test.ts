/** Collectives between real MPI ranks. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { launchedPlace } from "../../src/cluster/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tilth-mpi-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mpi = spawnSync("mpicc", ["--version"]).status === 0 && spawnSync("mpirun", ["--version"]).status === 0;

/** mpirun refuses root and more ranks than cores unless told otherwise. */
const environment = {
  ...process.env,
  OMPI_ALLOW_RUN_AS_ROOT: "1",
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
  OMPI_MCA_rmaps_base_oversubscribe: "1",
};

interface Seen {
  readonly rank: number;
  readonly size: number;
  readonly f32: number[];
  readonly bf16: number[];
  readonly broadcast: number[];
  readonly sum: number[];
}

function ranks(count: number, backend: string, extra: NodeJS.ProcessEnv = {}) {
  const script = ["test/cluster/collectives.mjs", backend, folder];
  return spawnSync("mpirun", ["-n", String(count), process.execPath, ...script], {
    encoding: "utf8",
    env: { ...environment, ...extra },
  });
}

describe.skipIf(!mpi)("MPI ranks (skipped where mpicc or mpirun is missing)", () => {
  it.each([
    [2, "cpu"],
    [4, "cpu"],
    [2, "reference"],
  ])("%i ranks on %s sum, broadcast and agree bit for bit", (count, backend) => {
    const run = ranks(count, backend);
    expect(run.status, run.stderr).toBe(0);
    const seen = Array.from(
      { length: count },
      (_, rank) => JSON.parse(readFileSync(join(folder, `${rank}.json`), "utf8")) as Seen,
    );
    expect(seen.map(({ rank }) => rank)).toEqual(Array.from({ length: count }, (_, rank) => rank));
    const value = (rank: number, i: number) => Math.fround(Math.sin(i * (rank + 1)) * 3);
    for (const one of seen) {
      expect(one.size).toBe(count);
      expect(one.f32).toEqual(seen[0].f32);
      expect(one.bf16).toEqual(seen[0].bf16);
      one.f32.forEach((sum, i) => {
        const exact = seen.reduce((total, { rank }) => total + value(rank, i), 0);
        expect(Math.abs(sum - exact)).toBeLessThan(1e-5);
        expect(Math.abs(one.bf16[i] - exact)).toBeLessThan(0.05 * count);
      });
      expect(one.broadcast).toEqual(one.broadcast.map((_, i) => value(1, i)));
      expect(one.sum).toEqual([(count * (count - 1)) / 2, 0.5 * count]);
    }
  });

  it("a rank that fails ends all of them", () => {
    const run = ranks(2, "cpu", { FAIL_RANK: "1" });
    expect(run.status).toBe(7);
  });
});

describe("launchedPlace", () => {
  it("reads what mpirun and srun leave, and takes a single task for no rank", () => {
    expect(launchedPlace({ OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "2" })).toEqual({ rank: 1, size: 2 });
    expect(launchedPlace({ PMI_RANK: "0", PMI_SIZE: "4" })).toEqual({ rank: 0, size: 4 });
    expect(launchedPlace({ SLURM_PROCID: "0", SLURM_NTASKS: "1" })).toBeUndefined();
    expect(launchedPlace({})).toBeUndefined();
  });
});
