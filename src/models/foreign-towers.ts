/** The two towers of a CLIP or SigLIP in a `config.json` as transformers writes it. */
import { z } from "zod";
import { positiveInteger, TilthError } from "../foundation/index.ts";
import { activationNames, activationTo, type EncoderSizes } from "./encoder.ts";

/** The keys of a tower that decide what it computes, with transformers' defaults of that family. */
export const foreignTower = (normEpsilon: number, activation: string) =>
  z.looseObject({
    hidden_size: positiveInteger,
    intermediate_size: positiveInteger,
    num_hidden_layers: positiveInteger,
    num_attention_heads: positiveInteger,
    layer_norm_eps: z.number().positive().default(normEpsilon),
    hidden_act: z.enum(activationNames).default(activation),
  });

type ForeignTower = z.output<ReturnType<typeof foreignTower>>;

/** Of what a tower's configuration says beside its width. */
export function fromForeignTower(tower: ForeignTower) {
  return {
    layers: tower.num_hidden_layers,
    attentionHeads: tower.num_attention_heads,
    mlpWidth: tower.intermediate_size,
  };
}

export function toForeignTower({ width, layers, attentionHeads, mlpWidth, normEpsilon, activation }: EncoderSizes) {
  return {
    hidden_size: width,
    intermediate_size: mlpWidth,
    num_hidden_layers: layers,
    num_attention_heads: attentionHeads,
    layer_norm_eps: normEpsilon,
    hidden_act: activationTo(activation),
  };
}

/** Throws TilthError naming a key in which the towers differ, but Tilth has one setting for both. */
export function requireEqualTowers(
  { text_config: text, vision_config: vision }: { text_config: ForeignTower; vision_config: ForeignTower },
  ...keys: readonly ("hidden_act" | "layer_norm_eps" | "hidden_size")[]
): void {
  for (const key of keys) {
    if (text[key] === vision[key]) continue;
    throw new TilthError(`config.json: text_config.${key} is ${text[key]}, vision_config.${key} is ${vision[key]}`, {
      remedy: "Tilth reads models whose towers agree in it.",
    });
  }
}
