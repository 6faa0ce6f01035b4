/** Learning from preferences. */
export { type PreferenceLossName, preferenceLosses, preferenceLossNames } from "./losses.ts";
export { type PreferencePair, preferencePairs, type TokenPair, tokenPair } from "./pairs.ts";
export {
  type PreferenceFigures,
  type PreferenceSettings,
  preferenceFigures,
  preferenceGradients,
  type ReferenceLogProbabilities,
  referenceLogProbabilities,
} from "./training.ts";
