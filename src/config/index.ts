/** The configuration of a run: its shape, its file, its template. */
export { type Ladder, type LadderRun, loadLadder } from "./ladder.ts";
export { findConfiguration, loadRun, loadRunConfiguration, resolveRun, withOverride } from "./load.ts";
export {
  type PairsRunConfiguration,
  type PairsRunConfigurationInput,
  pairsRunConfiguration,
  parsePairsRunConfiguration,
} from "./pairs-run-configuration.ts";
export { type RunPreset, runPreset, runPresets, withPreset } from "./presets.ts";
export {
  defineRun,
  isPairsRun,
  modelOf,
  objectiveOf,
  parseRun,
  parseRunConfiguration,
  type RunConfiguration,
  type RunConfigurationInput,
  runConfiguration,
  type WrittenRun,
} from "./run-configuration.ts";
export { type TemplateOptions, templateNames, templateOf } from "./template.ts";
