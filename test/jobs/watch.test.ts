/** The watch over a training thread that can say nothing itself. */
import { mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type WatchOptions, watchRun } from "../../src/jobs/watch.ts";
import { FlightRecorder } from "../../src/training/flight-recorder.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** What the watch says of a run whose last event is `seconds` old. */
async function said(
  phase: "reduce" | "snapshot" | "forward-backward",
  seconds: number,
  options: Partial<WatchOptions>,
) {
  const runFolder = mkdtempSync(join(tmpdir(), "tilth-watch-"));
  folders.push(runFolder);
  const recorder = new FlightRecorder(runFolder, 0);
  const now = Date.now;
  Date.now = () => now() - seconds * 1000;
  const toISOString = Date.prototype.toISOString;
  const then = new Date(now() - seconds * 1000);
  Date.prototype.toISOString = () => toISOString.call(then);
  recorder.note(7, phase);
  Date.prototype.toISOString = toISOString;
  Date.now = now;
  utimesSync(recorder.path, then, then);
  const messages: string[] = [];
  const stop = watchRun({
    ...{ runFolder, rank: 0, ranks: 1, guards: { watchdog: "warn", watchdogSeconds: 60 } },
    ...{ warn: (text) => messages.push(`warned: ${text}`), end: (text) => messages.push(`ended: ${text}`) },
    ...options,
    intervalSeconds: 0.01,
  });
  await sleep(200);
  stop();
  recorder.close(false);
  return messages;
}

describe("the watch", () => {
  const stopped = AbortSignal.abort();
  it("warns once where nothing moves for longer than the limit, naming step and phase", async () => {
    expect(await said("forward-backward", 100, {})).toEqual([
      expect.stringMatching(/^warned: no progress for 100 s: step 7, phase "forward-backward"$/),
    ]);
    expect(await said("forward-backward", 30, {})).toEqual([]);
  });

  it("ends the process where it is told to", async () => {
    const messages = await said("forward-backward", 100, { guards: { watchdog: "stop", watchdogSeconds: 60 } });
    expect(messages[0]).toMatch(/^ended: no progress for 100 s: .* continues from its last checkpoint/);
  });

  it("ends a rank that was told to stop and waits for one that is gone; not one that still writes", async () => {
    expect((await said("reduce", 20, { ranks: 2, signal: stopped }))[0]).toMatch(
      /^ended: rank 0 was told to stop and waited 20 s for the others in step 7/,
    );
    expect(await said("reduce", 20, { ranks: 2 })).toEqual([]);
    expect(await said("snapshot", 20, { ranks: 2, signal: stopped })).toEqual([]);
    expect(await said("reduce", 20, { ranks: 1, signal: stopped })).toEqual([]);
  });
});
