/** One build of a corpus at a time on a machine: the second one would take the first one's temporary files for leftovers. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, TilthError } from "../foundation/index.ts";

/** Held from its making until `release`; what a killed build left of it is taken over. */
export class BuildLock {
  private readonly file: string;

  /** Throws TilthError where a living process builds in `folder`. */
  constructor(folder: string) {
    this.file = `${folder}.lock`;
    mkdirSync(dirname(this.file), { recursive: true });
    for (;;) {
      try {
        writeFileSync(this.file, `${process.pid}\n`, { flag: "wx" });
        return;
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
      }
      const owner = this.owner();
      if (owner !== undefined && owner !== process.pid && isAlive(owner)) {
        throw new TilthError(`process ${owner} is building the corpus in ${folder}`, {
          remedy: `Wait for it, or choose another folder. If it is no build, remove ${this.file}.`,
        });
      }
      rmSync(this.file, { force: true });
    }
  }

  release(): void {
    rmSync(this.file, { force: true });
  }

  private owner(): number | undefined {
    try {
      const owner = Number(readFileSync(this.file, "utf8"));
      return Number.isInteger(owner) && owner > 0 ? owner : undefined;
    } catch {
      return undefined;
    }
  }
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}
