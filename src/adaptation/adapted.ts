/** A model made ready to be adapted: which parameters learn, with or without adapters. */
import type { Engine, ParameterArena } from "../engine/index.ts";
import { mixKeys } from "../foundation/index.ts";
import { LoraAdapter, loraTargets } from "./lora/index.ts";
import type { AdaptableModel } from "./model.ts";
import type { AdaptationSettings } from "./settings.ts";

/** What learns. */
export interface Adapted {
  readonly adapter: LoraAdapter | undefined;
  readonly arenas: readonly ParameterArena[];
  /** Sets what dropout drops; undefined: nothing. */
  dropout(key: number | undefined): void;
}

/**
 * With `lora`, adapters on the model, whose own weights stay (its engine should hold them for inference: no memory for gradients
 * then); else all weights. `extra`: arenas that learn in any case, such as a head's.
 */
export function prepareModel(
  engine: Engine,
  model: AdaptableModel,
  { lora, seed }: Pick<AdaptationSettings, "lora" | "seed">,
  extra: readonly ParameterArena[] = [],
): Adapted {
  if (lora === undefined) return { adapter: undefined, arenas: [model.arena, ...extra], dropout() {} };
  const { architecture, configuration } = model;
  const adapter = new LoraAdapter(engine, model, lora, loraTargets(architecture, configuration, lora));
  adapter.arena.initialize(mixKeys(seed, 0x10a4));
  adapter.attach();
  return {
    adapter,
    arenas: [adapter.arena, ...extra],
    dropout(key) {
      adapter.dropoutKey = key;
    },
  };
}
