/** Which linear layers a LoRA adapts: names of Hugging Face's modules, and where they lie in Tilth's parameters. */
import type { ParameterSpecification } from "../../engine/index.ts";
import { noSuch, TilthError } from "../../foundation/index.ts";
import type { StoredArchitecture, WeightMapping } from "../../models/index.ts";
import type { LoraSettings } from "./settings.ts";

/** One module that is adapted: rows of a parameter of Tilth's. */
export interface LoraTarget {
  /** As Hugging Face names it, without `.weight`: `model.layers.0.self_attn.q_proj`. */
  readonly module: string;
  readonly parameter: string;
  readonly rowStart: number;
  readonly outputs: number;
  readonly inputs: number;
  /** Whether Hugging Face stores the weight transposed (GPT-2's Conv1D). */
  readonly transposed: boolean;
}

/** The modules that the settings name. Throws TilthError for a name that fits none, with those that there are. */
export function loraTargets(
  architecture: Pick<StoredArchitecture, "name" | "weights" | "parameters">,
  configuration: unknown,
  { targets }: Pick<LoraSettings, "targets">,
): LoraTarget[] {
  const specifications = new Map(architecture.parameters(configuration).map((one) => [one.name, one]));
  const linear = architecture
    .weights(configuration)
    .filter((mapping) => isLinear(mapping, specifications.get(mapping.parameter)))
    .map(targetOf);
  if (targets === "all-linear") return linear;
  const found = linear.filter(({ module }) => targets.some((name) => fits(module, name)));
  const unknown = targets.find((name) => !linear.some(({ module }) => fits(module, name)));
  if (unknown !== undefined) {
    const known = [...new Set(linear.map(({ module }) => module.split(".").at(-1)!))];
    throw new TilthError(noSuch(`linear layer of a ${architecture.name}`, unknown, known), {
      remedy: `Linear layers: ${known.join(", ")}; or all-linear.`,
    });
  }
  return found;
}

/** PEFT's rule: the whole name, or its end after a dot. */
function fits(module: string, name: string): boolean {
  return module === name || module.endsWith(`.${name}`);
}

/** Hidden matrices and projections; tables and heads, whose rows are looked up, are none. */
function isLinear({ name, shape }: WeightMapping, specification: ParameterSpecification | undefined): boolean {
  if (shape.length !== 2 || !name.endsWith(".weight") || specification === undefined) return false;
  return specification.hiddenRows !== undefined || specification.name.endsWith(".projection");
}

function targetOf({ name, parameter, rowStart, shape, transposed }: WeightMapping): LoraTarget {
  const [outputs, inputs] = transposed ? [...shape].reverse() : shape;
  const module = name.slice(0, -".weight".length);
  return { module, parameter, rowStart, outputs, inputs, transposed: transposed === true };
}
