/** Guards: what each stage risks, measured while it happens. */
export type { AdaptationFigures, GuardDefinition, GuardResult } from "./guard.ts";
export { judge, worst } from "./judge.ts";
export { type GuardName, guardNames, guards } from "./registry.ts";
export { type GuardSettings, guardSettings, parseGuards } from "./settings.ts";
