/** A mixture's plan as a table for people. */
import { formatCount, formatShare, printable, shorten } from "../display.ts";
import type { MixturePlan, PlannedGroup } from "./plan.ts";

const head = ["group", "documents", "tokens there", "wanted", "tokens", "share", "epochs", "cap"];

/** Tokens, shares and epochs of every group, and which caps bind. At most 120 columns. */
export function renderMixture(plan: MixturePlan): string {
  const lines = [head, ...plan.groups.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const table = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join("  ")
      .trimEnd(),
  );
  const bound = plan.groups.filter(({ capped }) => capped);
  // Whole documents are drawn: up to one of each group is missing.
  const short = plan.wantedTokens - plan.tokens;
  return `${[
    ...table,
    "",
    `${formatCount(plan.tokens)} tokens of ${formatCount(plan.wantedTokens)} asked for, in ${formatCount(plan.copies)} copies of ${formatCount(plan.documents)} documents (${formatCount(plan.availableTokens)} tokens once)`,
    bound.length === 0
      ? "No cap binds."
      : `Caps that bind: ${bound.map(({ name, maximumEpochs }) => `${printable(name)} at ${maximumEpochs} epochs`).join(", ")}; what they leave goes to the others.`,
    ...(short > 0 && bound.length === plan.groups.filter(({ wantedShare }) => wantedShare > 0).length
      ? [`Every cap binds: ${formatCount(short)} tokens are not to be had. Raise maximumEpochs or add text.`]
      : []),
  ].join("\n")}\n`;
}

function cells(group: PlannedGroup): string[] {
  return [
    shorten(printable(group.name), 32),
    formatCount(group.documents),
    formatCount(group.availableTokens),
    formatShare(group.wantedShare, 1),
    formatCount(group.tokens),
    formatShare(group.share, 1),
    group.epochs.toFixed(3),
    `${group.maximumEpochs}${group.capped ? " binds" : ""}`,
  ];
}
