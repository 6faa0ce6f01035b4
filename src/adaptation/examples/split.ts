/** Examples set aside: by the seed alone, and of every class where classes are given. */
import { Random } from "../../foundation/index.ts";

/** Indices of both parts, each in rising order. */
export interface HeldOut {
  readonly train: number[];
  readonly held: number[];
}

/** Sets about `share` aside; with `classes`, that share of each class that has at least two examples. At least one is held. */
export function heldOut(count: number, share: number, seed: number, classes?: ArrayLike<number>): HeldOut {
  const groups = new Map<number, number[]>();
  for (let index = 0; index < count; index++) {
    const key = classes?.[index] ?? 0;
    const list = groups.get(key);
    if (list === undefined) groups.set(key, [index]);
    else list.push(index);
  }
  const held: number[] = [];
  // What rounding leaves over goes on to the next class, so that small classes are held out too, now and then.
  let owed = 0;
  for (const [key, list] of [...groups].sort(([a], [b]) => a - b)) {
    shuffle(list, new Random(seed, key, 0x5711));
    owed += list.length * share;
    const taken = Math.min(Math.round(owed), list.length - 1);
    held.push(...list.slice(0, taken));
    owed -= taken;
  }
  if (held.length === 0 && count > 1) held.push(count - 1);
  const isHeld = new Set(held);
  return {
    train: Array.from({ length: count }, (_, index) => index).filter((index) => !isHeld.has(index)),
    held: held.sort((a, b) => a - b),
  };
}

/** `count` indices, as many of every class as that allows, each drawn by the seed (all of them where there are fewer). */
export function balancedDraw(classes: Int32Array, count: number, seed: number): number[] {
  const queues = [...new Set(classes)]
    .sort((a, b) => a - b)
    .map((one) =>
      shuffle(
        [...classes.keys()].filter((index) => classes[index] === one),
        new Random(seed, one, 0xd4a3),
      ),
    );
  const chosen: number[] = [];
  const order = shuffle(queues, new Random(seed, 0xd4a3));
  for (let turn = 0; chosen.length < count && order.some((queue) => turn < queue.length); turn++) {
    for (const queue of order) if (turn < queue.length && chosen.length < count) chosen.push(queue[turn]);
  }
  return chosen.sort((a, b) => a - b);
}

function shuffle<Item>(items: Item[], random: Random): Item[] {
  for (let i = items.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [items[i], items[other]] = [items[other], items[i]];
  }
  return items;
}
