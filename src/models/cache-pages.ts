/** Which pages of a key/value cache belong to whom, and what they hold: pages of equal beginnings are shared. */
import { createHash } from "node:crypto";

/** What a page holds: its tokens and all before them. */
export type PageKey = string;

/** The key of a page from that of the page before it. */
export function pageKey(before: PageKey | undefined, tokens: Int32Array): PageKey {
  const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  return createHash("sha256")
    .update(before ?? "")
    .update(bytes)
    .digest("base64");
}

/** Pages by number. One that nobody uses keeps what it holds until its place is needed, the longest unused first. */
export class CachePages {
  private readonly users: Int32Array;
  private readonly keys: (PageKey | undefined)[];
  private readonly byKey = new Map<PageKey, number>();
  /** Unused pages, in the order in which they became so. */
  private readonly unused = new Set<number>();

  constructor(readonly count: number) {
    this.users = new Int32Array(count);
    this.keys = new Array<PageKey | undefined>(count).fill(undefined);
    for (let page = 0; page < count; page++) this.unused.add(page);
  }

  /** Pages that could be taken now. */
  get free(): number {
    return this.unused.size;
  }

  /** An empty page; undefined where all are used. */
  take(): number | undefined {
    const [page] = this.unused;
    if (page === undefined) return undefined;
    this.unused.delete(page);
    this.forget(page);
    this.users[page] = 1;
    return page;
  }

  /** The page that holds what the key says, for one more user; undefined where there is none. */
  share(key: PageKey): number | undefined {
    const page = this.byKey.get(key);
    if (page === undefined) return undefined;
    this.unused.delete(page);
    this.users[page] += 1;
    return page;
  }

  /** Tells what a full page holds. Where another page holds the same already, that one is found. */
  remember(page: number, key: PageKey): void {
    if (this.byKey.has(key)) return;
    this.keys[page] = key;
    this.byKey.set(key, page);
  }

  /** A user less. */
  release(page: number): void {
    this.users[page] -= 1;
    if (this.users[page] === 0) this.unused.add(page);
  }

  /** What the page holds will be written over. */
  private forget(page: number): void {
    const key = this.keys[page];
    if (key !== undefined) this.byKey.delete(key);
    this.keys[page] = undefined;
  }
}
