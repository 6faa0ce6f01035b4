/** The columns of a run's log, fetched as they grow. */
import { GrowingColumns, groupNames } from "../growing-columns.ts";
import type { ColumnsHeader, GroupName } from "../protocol.ts";
import type { Curve } from "./curves.ts";

/** Rows that share their steps. */
export class Group extends GrowingColumns {
  /** A curve over steps or tokens; undefined where the log has no such figure. */
  curve(name: string, axis: "step" | "tokens"): Curve | undefined {
    const y = this.values.get(name);
    return y && { x: axis === "step" ? this.steps : this.tokens, y, rows: this.rows };
  }

  /** Takes rows from `from` on. `next` gives the columns one after another. */
  take(columns: readonly string[], from: number, count: number, next: (bytes: number) => ArrayBuffer): void {
    this.reserve(from + count);
    for (const name of columns) {
      if (name === "step") this.steps.set(new Float64Array(next(count * 8)), from);
      else if (name === "tokens") this.tokens.set(new Float64Array(next(count * 8)), from);
      else this.column(name).set(new Float32Array(next(count * 4)), from);
    }
    this.rows = from + count;
  }
}

/** One run's figures. `generation` becomes another when its log was cut: what was derived from it no longer holds. */
export class RunData {
  generation = 0;
  notes = 0;
  groups: Readonly<Record<GroupName, Group>> = newGroups();
  private updating: Promise<void> | undefined;

  constructor(readonly id: string) {}

  /** Fetches what was added. */
  update(): Promise<void> {
    this.updating ??= this.fetch().finally(() => {
      this.updating = undefined;
    });
    return this.updating;
  }

  private async fetch(): Promise<void> {
    const { step, validation, checkpoint } = this.groups;
    const query = new URLSearchParams({
      generation: String(this.generation),
      step: String(step.rows),
      validation: String(validation.rows),
      checkpoint: String(checkpoint.rows),
    });
    const response = await fetch(`/api/runs/${this.id}/columns?${query}`);
    if (!response.ok) throw new Error(`the run's figures could not be fetched (${response.status})`);
    this.decode(await response.arrayBuffer());
  }

  private decode(buffer: ArrayBuffer): void {
    const length = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length))) as ColumnsHeader;
    if (header.generation !== this.generation) this.groups = newGroups();
    this.generation = header.generation;
    this.notes = header.notes;
    let offset = 4 + length;
    const next = (bytes: number) => {
      const part = buffer.slice(offset, offset + bytes);
      offset += Math.ceil(bytes / 8) * 8;
      return part;
    };
    for (const name of groupNames) {
      const { from, columns } = header.groups[name];
      this.groups[name].take(columns, from, header.rows[name] - from, next);
    }
  }
}

function newGroups(): Record<GroupName, Group> {
  return { step: new Group(), validation: new Group(), checkpoint: new Group() };
}
