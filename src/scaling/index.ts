/** Scaling laws: fitted to trained models, asked for the loss and the best size of larger ones. */
export { type FitOptions, type FittedLaw, fitLaw, lossOf } from "./fit.ts";
export { type Forecast, forecast } from "./forecast.ts";
export { type FormName, formNames } from "./forms.ts";
export { type HeldOutPoint, type HoldOut, holdOutLargest } from "./hold-out.ts";
export { type IsoFlopFit, type IsoFlopProfile, isoFlopProfiles } from "./isoflop.ts";
export { type LadderRung, type LadderSettings, ladderRungs, ladderSettings } from "./ladder.ts";
export { readLaw, writeLaw } from "./law-file.ts";
export {
  type Allocation,
  effectiveTokens,
  optimumForCompute,
  optimumForInference,
  optimumForLimitedData,
} from "./optimum.ts";
export { lawPlot } from "./plot.ts";
export { flopsOf, type PointColumns, readPoints, type ScalingPoint } from "./points.ts";
