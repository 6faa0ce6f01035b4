/** What adaptation needs of any model: its parameters, their names, its sizes. */
import type { ParameterArena } from "../engine/index.ts";
import type { StoredArchitecture } from "../models/index.ts";

/** A model of text or of pictures, with weights. */
export interface AdaptableModel {
  readonly architecture: StoredArchitecture;
  readonly configuration: unknown;
  readonly arena: ParameterArena;
}
