/** The guards: one file each, one line here. */
import { classCollapse } from "./class-collapse.ts";
import { divergenceGuard } from "./divergence.ts";
import { diversityGuard } from "./diversity.ts";
import { groupGap } from "./group-gap.ts";
import type { GuardDefinition } from "./guard.ts";
import { lengthDrift } from "./length-drift.ts";
import { lengthReward } from "./length-reward.ts";
import { narrowing } from "./narrowing.ts";
import { overfit } from "./overfit.ts";
import { preference } from "./preference.ts";
import { refusals } from "./refusals.ts";
import { toxicityGuard } from "./toxicity.ts";

export const guards = {
  overfit,
  narrowing,
  "class-collapse": classCollapse,
  "group-gap": groupGap,
  divergence: divergenceGuard,
  preference,
  "length-reward": lengthReward,
  "length-drift": lengthDrift,
  refusals,
  toxicity: toxicityGuard,
  diversity: diversityGuard,
} as const satisfies Readonly<Record<string, GuardDefinition>>;

export type GuardName = keyof typeof guards;
export const guardNames = Object.keys(guards) as GuardName[];
