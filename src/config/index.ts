/** The configuration of a run: its shape, its file, its template. */
export { findConfiguration, loadRunConfiguration } from "./load.ts";
export {
  defineRun,
  modelOf,
  objectiveOf,
  parseRunConfiguration,
  type RunConfiguration,
  type RunConfigurationInput,
  runConfiguration,
} from "./run-configuration.ts";
export { type TemplateOptions, templateNames, templateOf } from "./template.ts";
