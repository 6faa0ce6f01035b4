/** The guards: one file each, one line here. */
import { classCollapse } from "./class-collapse.ts";
import { groupGap } from "./group-gap.ts";
import type { GuardDefinition } from "./guard.ts";
import { narrowing } from "./narrowing.ts";
import { overfit } from "./overfit.ts";

export const guards = {
  overfit,
  narrowing,
  "class-collapse": classCollapse,
  "group-gap": groupGap,
} as const satisfies Readonly<Record<string, GuardDefinition>>;

export type GuardName = keyof typeof guards;
export const guardNames = Object.keys(guards) as GuardName[];
