/**
 * The one error type that a user is meant to read. It names the thing, the value, what was expected and the way out;
 * the CLI prints it on stderr and leaves with `exitCode`.
 */
export class TilthError extends Error {
  readonly remedy: string | undefined;
  readonly exitCode: number;

  /**
   * @param message what went wrong: the thing, its value, what was expected
   * @param options `remedy` says what to do next, `exitCode` defaults to 1, `cause` is kept for `--verbose`
   */
  constructor(message: string, options: { remedy?: string; exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TilthError";
    this.remedy = options.remedy;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** Wrong use of the command line or of a configuration: exit code 2, as POSIX utilities have it. */
export class UsageError extends TilthError {
  constructor(message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, { ...options, exitCode: 2 });
    this.name = "UsageError";
  }
}

/** The work was stopped by a signal and its state was saved: exit code 130, as shells report SIGINT. */
export class InterruptedError extends TilthError {
  constructor(message: string, options: { remedy?: string } = {}) {
    super(message, { ...options, exitCode: 130 });
    this.name = "InterruptedError";
  }
}

/** An error in a form that survives the way between threads, where classes and their fields are lost. */
export interface TransferredError {
  readonly name: string;
  readonly message: string;
  readonly remedy?: string;
  readonly exitCode?: number;
  readonly stack?: string;
}

/** What another thread needs of a thrown value. */
export function transferable(error: unknown): TransferredError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack } = error;
  return error instanceof TilthError
    ? { name, message, stack, remedy: error.remedy, exitCode: error.exitCode }
    : { name, message, stack };
}

/** The error that was transferred, of the class that it had. */
export function revived({ name, message, remedy, exitCode, stack }: TransferredError): Error {
  const error =
    name === "InterruptedError"
      ? new InterruptedError(message, { remedy })
      : name === "UsageError"
        ? new UsageError(message, { remedy })
        : exitCode !== undefined
          ? new TilthError(message, { remedy, exitCode })
          : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Text of any thrown value, for messages. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The Node error code (`ENOENT`, `ENOSPC`, …) of a thrown value, if it has one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** The candidate nearest to `value` by edit distance, or undefined when none is near. */
export function nearest(value: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(value.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(value.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `did you mean "x"?` with the nearest candidate; undefined when none is near. */
export function didYouMean(value: string, candidates: Iterable<string>): string | undefined {
  const near = nearest(value, candidates);
  return near === undefined ? undefined : `did you mean "${near}"?`;
}

/** The message for a name that is not in a table: `there is no preset "x"; did you mean "y"?`. */
export function noSuch(what: string, name: string, known: Iterable<string>): string {
  const question = didYouMean(name, known);
  return `there is no ${what} "${name}"${question === undefined ? "" : `; ${question}`}`;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[j] + 1, current[j - 1] + 1));
    }
    previous = current;
  }
  return previous[b.length];
}
