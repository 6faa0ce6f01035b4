/** Side by side: Tilth and every setting of its peer in turns, and the line that comes out of it. */
import { UsageError } from "../src/foundation/index.ts";
import { type Peer, PeerMissing } from "./peer.ts";

/** What every benchmark prints as a JSON line. */
export interface BenchmarkLine {
  readonly name: string;
  readonly config: string;
  readonly unit: string;
  readonly tilth: Timing;
  /** The peer's fastest setting; null where it is missing or was not asked for. */
  readonly peer: (Timing & { readonly name: string; readonly version: string; readonly setting: string }) | null;
  /** peer.median / tilth.median: above 1, Tilth is ahead. */
  readonly ratio: number | null;
  readonly shareOfPeak: number | null;
  readonly peakRssBytes: number;
  readonly peerPeakRssBytes: number | null;
  /** Further figures of one benchmark. */
  readonly [more: string]: unknown;
}

/** In the unit of the line. */
export interface Timing {
  readonly median: number;
  readonly min: number;
}

/** A setting of the peer that may be its fastest. */
export interface PeerSetting {
  readonly setting: string;
  start(): Promise<Peer>;
}

/** The peer's settings that the options ask for. Throws UsageError for one that there is not. */
export function askedSettings(
  settings: readonly PeerSetting[],
  { peer, setting }: { readonly peer: boolean; readonly setting?: string },
): readonly PeerSetting[] {
  if (!peer) return [];
  if (setting === undefined) return settings;
  const found = settings.filter((one) => one.setting.includes(setting));
  if (found.length > 0) return found;
  throw new UsageError(`--setting "${setting}" is none of the peer's`, {
    remedy: `Those are: ${settings.map((one) => one.setting).join("; ")}`,
  });
}

/** Both sides' timings, the peer's from its fastest setting. */
export interface Comparison {
  readonly tilth: Timing;
  /** Medians of all the peer's settings that ran, by their name. */
  readonly tried?: Readonly<Record<string, number>>;
  readonly peer:
    | (Timing & { readonly version: string; readonly setting: string; readonly peakRssBytes: number })
    | null;
}

/**
 * Times `tilth` alone, or in turns with each setting of the peer, `repetitions` times each. The ratio is taken within the
 * turns with the setting that turned out fastest. A missing peer is told to `warn`.
 */
export async function compare(
  tilth: () => Promise<number>,
  settings: readonly PeerSetting[],
  repetitions: number,
  warn: (message: string) => void,
): Promise<Comparison> {
  let best: Comparison | undefined;
  const tried: Record<string, number> = {};
  for (const { setting, start } of settings) {
    let peer: Peer;
    try {
      peer = await start();
    } catch (error) {
      if (!(error instanceof PeerMissing)) throw error;
      warn(`no peer for "${setting}": ${error.message}`);
      continue;
    }
    const [ours, theirs]: number[][] = [[], []];
    for (let repetition = 0; repetition < repetitions; repetition++) {
      // Threads of the side that has just worked may still spin; they must not slow the other.
      await rest();
      ours.push(await tilth());
      await rest();
      theirs.push(await peer.time());
    }
    const { peakRssBytes } = await peer.end();
    const found = { tilth: timing(ours), peer: { ...timing(theirs), version: peer.version, setting, peakRssBytes } };
    tried[setting] = found.peer.median;
    if (best?.peer == null || found.peer.median < best.peer.median) best = found;
  }
  if (best !== undefined) return { ...best, tried };
  const alone: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++) alone.push(await tilth());
  return { tilth: timing(alone), peer: null };
}

/** The benchmark's line from a comparison. */
export function lineOf(
  comparison: Comparison,
  facts: { name: string; config: string; unit: string; peerName: string; shareOfPeak: number | null },
  more: Readonly<Record<string, unknown>> = {},
): BenchmarkLine {
  const { tilth, peer } = comparison;
  const { name, config, unit, peerName, shareOfPeak } = facts;
  return {
    name,
    config,
    unit,
    tilth,
    peer: peer && { name: peerName, version: peer.version, setting: peer.setting, median: peer.median, min: peer.min },
    ratio: peer && peer.median / tilth.median,
    shareOfPeak,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    peerPeakRssBytes: peer?.peakRssBytes ?? null,
    ...(comparison.tried && { peerMedians: comparison.tried }),
    ...more,
  };
}

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 60));
}

function timing(seconds: readonly number[]): Timing {
  const sorted = [...seconds].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0] };
}
