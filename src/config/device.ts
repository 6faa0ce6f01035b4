import { z } from "zod";
import { settingsObject } from "../foundation/index.ts";

/** Where a run computes. */
export const deviceConfiguration = settingsObject("device", {
  backend: z.string().default("auto").describe("reference, cpu, or auto: cpu where it can run"),
  threads: z.int().min(1).max(256).optional().describe("all processors if left out"),
  precision: z
    .enum(["auto", "f32", "bf16"])
    .default("auto")
    .describe("of matrix products; auto: bf16 where the processor multiplies in it"),
});
