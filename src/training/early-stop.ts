/** Whether a run has stopped learning, from its validation losses alone. */

/** True where the last `patience` losses brought no improvement of at least `minimumImprovement` over the best before them. */
export function hasStoppedImproving(
  losses: readonly number[],
  { patience, minimumImprovement }: { readonly patience: number; readonly minimumImprovement: number },
): boolean {
  let [best, without] = [Number.POSITIVE_INFINITY, 0];
  for (const loss of losses) {
    if (loss < best - minimumImprovement) [best, without] = [loss, 0];
    else without += 1;
  }
  return without >= patience;
}
