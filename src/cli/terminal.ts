/** What people see of long work: one moving line on a terminal, a plain line now and then in a pipe. */
import type { Progress } from "../foundation/index.ts";

const terminal = process.stderr.isTTY === true && process.env.TERM !== "dumb";

/** How much is said on stderr beside errors. */
export type Verbosity = "quiet" | "normal" | "verbose";

let verbosity: Verbosity = "normal";

/** Sets it for the whole process: --quiet and --verbose. */
export function setVerbosity(wanted: Verbosity): void {
  verbosity = wanted;
}

const secondsBetweenLines = () => (verbosity === "verbose" ? 1 : 10);

/** Writes a line on stderr, so that stdout stays for results. Nothing with --quiet. */
export function say(text: string): void {
  if (verbosity === "quiet") return;
  clear();
  process.stderr.write(`${text}\n`);
}

let lineShown = false;

function clear(): void {
  if (lineShown) process.stderr.write("\r\u001b[2K");
  lineShown = false;
}

/** Shows one moving line, on a terminal only. */
function show(text: string): void {
  clear();
  process.stderr.write(text.slice(0, (process.stderr.columns ?? 100) - 1));
  lineShown = true;
}

/** A listener that shows progress with rate and remaining time. */
export function progressLine(): {
  update(progress: Progress): void;
  line(text: string, always?: boolean): void;
  end(): void;
} {
  let stage = "";
  let started = 0;
  let shown = 0;
  const line = (text: string, always = false) => {
    const now = performance.now();
    if (verbosity === "quiet") return;
    if (!always && now - shown < (terminal ? 100 : secondsBetweenLines() * 1000)) return;
    shown = now;
    if (terminal) show(text);
    else process.stderr.write(`${text}\n`);
  };
  return {
    line,
    update(progress) {
      if (progress.stage !== stage) {
        stage = progress.stage;
        started = performance.now();
        shown = terminal ? 0 : performance.now();
      }
      const seconds = (performance.now() - started) / 1000;
      const rate = seconds > 0 ? progress.done / seconds : 0;
      const total = progress.total === undefined ? "" : ` of ${formatCount(progress.total)}`;
      const remaining =
        progress.total === undefined || rate === 0
          ? ""
          : `, ${formatSeconds((progress.total - progress.done) / rate)} left`;
      const detail = progress.detail === undefined ? "" : ` (${progress.detail})`;
      line(
        `  ${progress.stage}: ${formatCount(progress.done)}${total} ${progress.unit}, ${formatCount(rate)}/s${remaining}${detail}`,
      );
    },
    end: clear,
  };
}

/** 1234567 → "1.23M". Three digits, up to T. */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return "–";
  for (const [unit, size] of [
    ["T", 1e12],
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const) {
    if (Math.abs(value) >= size) return `${(value / size).toPrecision(3)}${unit}`;
  }
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

/** Bytes as people read them. */
export function formatBytes(bytes: number): string {
  return `${formatCount(bytes)}B`;
}

/** Seconds as "1 m 20 s". */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, "0")} s`;
}

/** A rate of floating-point operations. */
export function formatFlops(flops: number): string {
  return `${formatCount(flops)}FLOP/s`;
}

/**
 * An AbortSignal that the first Ctrl-C, SIGTERM or SIGUSR2 (from `tilth launch`) sets, saying `message`. A second Ctrl-C ends the
 * process at once; a second SIGTERM does not: schedulers send several.
 */
export function interruptSignal(message: string | undefined): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) return;
    if (message !== undefined) say(message);
    controller.abort();
  };
  process.on("SIGINT", () => (controller.signal.aborted ? process.exit(130) : stop()));
  process.on("SIGTERM", stop);
  process.on("SIGUSR2", stop);
  return controller.signal;
}
