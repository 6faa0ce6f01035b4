/** LoRA's settings, under the names that PEFT gives them in `adapter_config.json`. */
import { z } from "zod";
import { positiveInteger, settingsObject } from "../../foundation/index.ts";

export const loraSettings = settingsObject("LoRA adapter", {
  /** The rank `r` of every update. */
  rank: positiveInteger.default(8),
  /** The update is scaled by alpha / rank. */
  alpha: z.number().positive().default(16),
  /** Dropout of what goes into the adapters, in training. */
  dropout: z.number().min(0).lt(1).default(0),
  /**
   * Which linear layers, by the names of Hugging Face's modules: ends of names (`q_proj`, `c_attn`, `query`), or `all-linear`.
   */
  targets: z.union([z.literal("all-linear"), z.array(z.string().min(1)).min(1)]).default("all-linear"),
});

export type LoraSettings = z.infer<typeof loraSettings>;
