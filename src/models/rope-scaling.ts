/** Rotary positions beyond the context first trained on: how frequencies are scaled, and what Hugging Face calls it. */
import { z } from "zod";
import {
  didYouMean,
  parseSettings,
  positiveInteger,
  settingsObject,
  TilthError,
  UsageError,
} from "../foundation/index.ts";
import { rotaryFrequencies } from "./rope-angles.ts";

const factor = z.number().min(1).describe("the longest context over the original one");
const originalContext = positiveInteger.describe("tokens of the context first trained on");

/** One object a rule, by `kind`; what was written before there were several is Llama 3's. */
const forms = {
  linear: settingsObject("ropeScaling", { kind: z.literal("linear"), factor }),
  dynamic: settingsObject("ropeScaling", { kind: z.literal("dynamic"), factor, originalContext }),
  yarn: settingsObject("ropeScaling", {
    kind: z.literal("yarn"),
    factor,
    originalContext,
    betaFast: z
      .number()
      .positive()
      .default(32)
      .describe("turns in the original context from which a wave stays as it is"),
    betaSlow: z.number().positive().default(1).describe("turns up to which a wave is wholly interpolated"),
    attentionFactor: z
      .number()
      .positive()
      .optional()
      .describe("on cosines and sines; 0.1 · ln(factor) + 1 if left out"),
    truncate: z.boolean().default(true).describe("whether the ramp begins and ends at whole dimensions"),
  }),
  llama3: settingsObject("ropeScaling", {
    kind: z.literal("llama3"),
    factor: z.number().positive(),
    lowFrequencyFactor: z.number().positive().default(1),
    highFrequencyFactor: z.number().positive().default(4),
    originalContext,
  }),
} as const;

/** The rules by name. */
export const ropeScalingKinds = Object.keys(forms) as (keyof typeof forms)[];

const withKind = (value: unknown) =>
  value !== null && typeof value === "object" && !("kind" in value) ? { kind: "llama3", ...value } : value;

/**
 * linear: all waves slower by the factor (Chen et al. 2023); dynamic: a larger base, by the length at hand (NTK-aware); yarn: slow waves
 * interpolated, fast ones kept (Peng et al. 2023); llama3: Llama 3.1's rule of that kind.
 */
export const ropeScaling = z.preprocess(
  withKind,
  z.discriminatedUnion("kind", Object.values(forms) as never),
) as z.ZodType<RopeScaling, RopeScaling | Omit<Extract<RopeScaling, { kind: "llama3" }>, "kind">>;

export type RopeScaling = z.infer<(typeof forms)[keyof typeof forms]>;

/** What the frequencies follow from. */
export interface RopeSettings {
  readonly headSize: number;
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
}

/** The headSize/2 frequencies of rotation in a sequence of `length` tokens; only `dynamic` asks for the length. */
export function ropeFrequencies({ headSize, ropeTheta, ropeScaling: scaling }: RopeSettings, length = 1): Float32Array {
  const plain = rotaryFrequencies(ropeTheta, headSize);
  switch (scaling?.kind) {
    case undefined:
      return plain;
    case "linear":
      return plain.map((frequency) => frequency / scaling.factor);
    case "dynamic": {
      const stretch = (scaling.factor * Math.max(length, scaling.originalContext)) / scaling.originalContext;
      const base = ropeTheta * (stretch - (scaling.factor - 1)) ** (headSize / (headSize - 2));
      return rotaryFrequencies(base, headSize);
    }
    case "yarn": {
      const { low, high } = yarnRange(scaling, headSize, ropeTheta);
      return plain.map((frequency, i) => {
        const ramp = Math.min(1, Math.max(0, (i - low) / (high - low)));
        return (frequency / scaling.factor) * ramp + frequency * (1 - ramp);
      });
    }
    case "llama3":
      return plain.map((frequency) => stretched(frequency, scaling));
  }
}

/** What cosines and sines are multiplied by: attention is sharper over a longer context (YaRN). */
export function ropeAttentionFactor({ ropeScaling: scaling }: Pick<RopeSettings, "ropeScaling">): number {
  if (scaling?.kind !== "yarn") return 1;
  return scaling.attentionFactor ?? yarnTemperature(scaling.factor);
}

function yarnTemperature(scale: number, weight = 1): number {
  return scale <= 1 ? 1 : 0.1 * weight * Math.log(scale) + 1;
}

/** The dimensions between which YaRN goes from keeping to interpolating. */
function yarnRange(
  { originalContext, betaFast, betaSlow, truncate }: Extract<RopeScaling, { kind: "yarn" }>,
  headSize: number,
  theta: number,
) {
  const dimensionOf = (turns: number) =>
    (headSize * Math.log(originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [low, high] = [dimensionOf(betaFast), dimensionOf(betaSlow)];
  const from = Math.max(0, truncate ? Math.floor(low) : low);
  const to = Math.min(headSize - 1, truncate ? Math.ceil(high) : high);
  return { low: from, high: to === from ? to + 0.001 : to };
}

/** Llama 3's rule: waves longer than the original context turn slower by the factor, short ones as before, between: mixed. */
function stretched(frequency: number, scaling: Extract<RopeScaling, { kind: "llama3" }>): number {
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalContext } = scaling;
  const turns = (originalContext * frequency) / (2 * Math.PI);
  const share = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  const smooth = Math.min(1, Math.max(0, share));
  return (1 - smooth) * (frequency / factor) + smooth * frequency;
}

/** A longer context: tokens, and what makes room for them. `ropeScaling` is given its factor and original context. */
export interface ContextChange {
  readonly context: number;
  readonly ropeTheta?: number;
  readonly ropeScaling?: { readonly kind: RopeScaling["kind"]; readonly [setting: string]: unknown };
}

/** What changes of a model for a longer context. */
export function extendedRope(
  one: RopeSettings & { readonly context: number },
  { context, ropeTheta, ropeScaling: wanted }: ContextChange,
): Partial<RopeSettings> & { readonly context: number } {
  const before = one.ropeScaling;
  if (wanted === undefined) {
    if (ropeTheta === undefined || before !== undefined) {
      throw new UsageError(
        `a context of ${context} tokens needs continuation.ropeScaling: the model was trained on ${one.context}`,
        {
          remedy: `Set continuation.ropeScaling.kind to one of: ${ropeScalingKinds.join(", ")}${before === undefined ? ", or raise continuation.ropeTheta" : ""}.`,
        },
      );
    }
    return { context, ropeTheta };
  }
  if (before !== undefined && before.kind !== wanted.kind) {
    throw new UsageError(
      `the model is scaled by the rule "${before.kind}" already, which "${wanted.kind}" cannot follow`,
      {
        remedy: `Set continuation.ropeScaling.kind to ${before.kind}.`,
      },
    );
  }
  const original = before === undefined ? one.context : originalOf(before, one.context);
  const filled = { factor: context / original, ...(wanted.kind !== "linear" && { originalContext: original }) };
  const scaling = parseSettings(
    ropeScaling,
    { ...before, ...filled, ...wanted },
    "the settings continuation.ropeScaling",
  );
  return { context, ropeScaling: scaling, ...(ropeTheta !== undefined && { ropeTheta }) };
}

function originalOf(scaling: RopeScaling, context: number): number {
  return scaling.kind === "linear" ? Math.round(context / scaling.factor) : scaling.originalContext;
}

/** `rope_scaling` of a `config.json`. */
export function ropeScalingToHuggingFace(scaling: RopeScaling): Record<string, unknown> {
  const { kind, factor } = scaling;
  switch (scaling.kind) {
    case "linear":
    case "dynamic":
      return { rope_type: kind, factor };
    case "yarn":
      return {
        ...{ rope_type: kind, factor, original_max_position_embeddings: scaling.originalContext },
        ...{ beta_fast: scaling.betaFast, beta_slow: scaling.betaSlow },
        ...(scaling.attentionFactor !== undefined && { attention_factor: scaling.attentionFactor }),
        ...(!scaling.truncate && { truncate: false }),
      };
    case "llama3":
      return {
        ...{ rope_type: kind, factor },
        ...{ low_freq_factor: scaling.lowFrequencyFactor, high_freq_factor: scaling.highFrequencyFactor },
        original_max_position_embeddings: scaling.originalContext,
      };
  }
}

/** The fields of Hugging Face's `rope_scaling` and `rope_parameters`. */
export const huggingFaceRope = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
});

const positive = z.number().positive();
const huggingFaceForms = {
  linear: z.looseObject({ factor: positive }),
  dynamic: z.looseObject({ factor: positive }),
  yarn: z.looseObject({
    factor: positive.nullish(),
    original_max_position_embeddings: positiveInteger.optional(),
    beta_fast: positive.nullish(),
    beta_slow: positive.nullish(),
    attention_factor: positive.nullish(),
    mscale: z.number().nullish(),
    mscale_all_dim: z.number().nullish(),
    truncate: z.boolean().default(true),
  }),
  llama3: z.looseObject({
    factor: positive,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: positiveInteger,
  }),
};

/**
 * The scaling that a `config.json` states, and the longest context with it. Throws TilthError naming the rule that is unknown or the
 * field that is wrong. @param positions `max_position_embeddings`
 */
export function ropeScalingOfHuggingFace(
  rope: z.infer<typeof huggingFaceRope>,
  positions: number,
): { readonly ropeScaling?: unknown; readonly context: number } {
  const kind = rope.rope_type ?? rope.type ?? "default";
  if (kind === "default") return { context: positions };
  const read = <Form extends keyof typeof huggingFaceForms>(form: Form): z.infer<(typeof huggingFaceForms)[Form]> => {
    const parsed = huggingFaceForms[form].safeParse(rope);
    if (parsed.success) return parsed.data as z.infer<(typeof huggingFaceForms)[Form]>;
    const [issue] = parsed.error.issues;
    throw new TilthError(`config.json: "rope_scaling.${issue.path.join(".")}": ${issue.message}`);
  };
  switch (kind) {
    case "linear":
      return { ropeScaling: { kind, factor: read(kind).factor }, context: positions };
    case "dynamic": {
      // There the longest context is not written: what was trained on, and by what it may grow.
      const { factor } = read(kind);
      return { ropeScaling: { kind, factor, originalContext: positions }, context: Math.floor(positions * factor) };
    }
    case "yarn": {
      const one = read(kind);
      const original = one.original_max_position_embeddings ?? positions;
      const factor = one.factor ?? positions / original;
      const { mscale, mscale_all_dim: all } = one;
      const derived = mscale && all ? yarnTemperature(factor, mscale) / yarnTemperature(factor, all) : undefined;
      return {
        ropeScaling: {
          ...{ kind, factor, originalContext: original, truncate: one.truncate },
          ...{ betaFast: one.beta_fast || 32, betaSlow: one.beta_slow || 1 },
          attentionFactor: one.attention_factor ?? derived,
        },
        context: positions,
      };
    }
    case "llama3": {
      const one = read(kind);
      return {
        ropeScaling: {
          ...{ kind, factor: one.factor, originalContext: one.original_max_position_embeddings },
          ...{ lowFrequencyFactor: one.low_freq_factor, highFrequencyFactor: one.high_freq_factor },
        },
        context: positions,
      };
    }
  }
  throw new TilthError(`config.json: "rope_scaling" is of the type "${kind}", which this version does not read`, {
    remedy: `It reads: default, ${ropeScalingKinds.join(", ")}. ${didYouMean(kind, ropeScalingKinds) ?? "longrope and others need their model's own code."}`,
  });
}
