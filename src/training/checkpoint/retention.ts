/** Which checkpoints stay: the newest, every K-th step's, and the best. */
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { checkpointNames, checkpointPath, checkpointsFolder } from "./places.ts";
import { readState } from "./state.ts";

/** What to keep of older checkpoints. */
export interface RetentionPolicy {
  /** The newest ones. */
  readonly keepCheckpoints: number;
  /** Those whose step is a multiple of this; none if left out. */
  readonly keepCheckpointsEvery?: number;
  /** Those with the lowest validation loss. */
  readonly keepBestCheckpoints: number;
}

/** A finished checkpoint as the policy sees it; the loss is that of a validation at its own step. */
export interface KeptCheckpoint {
  readonly step: number;
  readonly validationLoss: number | undefined;
}

/** The steps of those that stay. */
export function retained(checkpoints: readonly KeptCheckpoint[], policy: RetentionPolicy): Set<number> {
  const steps = checkpoints.map(({ step }) => step).sort((a, b) => a - b);
  const { keepCheckpoints, keepCheckpointsEvery: every, keepBestCheckpoints } = policy;
  const best = checkpoints
    .filter(({ validationLoss }) => validationLoss !== undefined)
    .sort((a, b) => a.validationLoss! - b.validationLoss! || b.step - a.step)
    .slice(0, keepBestCheckpoints)
    .map(({ step }) => step);
  const periodic = every === undefined ? [] : steps.filter((step) => step % every === 0);
  return new Set([...steps.slice(-keepCheckpoints), ...best, ...periodic]);
}

/** Removes the checkpoints of a run that the policy does not keep; the one of `newest` always stays. */
export function pruneCheckpoints(runFolder: string, policy: RetentionPolicy, newest: number): void {
  const found = checkpointNames(runFolder).map((name) => ({
    name,
    ...described(join(checkpointsFolder(runFolder), name)),
  }));
  const keep = retained(found, policy);
  const own = basename(checkpointPath(runFolder, newest));
  for (const { name, step } of found) {
    if (!keep.has(step) && name !== own)
      rmSync(join(checkpointsFolder(runFolder), name), { recursive: true, force: true });
  }
}

function described(path: string): KeptCheckpoint {
  const step = Number(basename(path).slice("step-".length));
  try {
    const { validation } = readState(path);
    return { step, validationLoss: validation?.step === step ? validation.loss : undefined };
  } catch {
    // A damaged one counts as any other by its step, and never as the best.
    return { step, validationLoss: undefined };
  }
}
