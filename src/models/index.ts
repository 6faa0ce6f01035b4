/** The architectures: one file each, one line here. */
import { nearest, TilthError } from "../foundation/index.ts";
import { llama } from "./llama.ts";
import type { Architecture } from "./model.ts";

const architectures: Readonly<Record<string, Architecture<unknown>>> = {
  llama: llama as Architecture<unknown>,
};

/** The names that a configuration's `model.architecture` takes. */
export const architectureNames: readonly string[] = Object.keys(architectures);

/** The architecture of that name. Throws TilthError for an unknown one. */
export function architectureNamed(name: string): Architecture<unknown> {
  const architecture = architectures[name];
  if (architecture === undefined) {
    const guess = nearest(name, architectureNames);
    throw new TilthError(`there is no architecture "${name}"${guess ? `; did you mean "${guess}"?` : ""}`, {
      remedy: `Architectures: ${architectureNames.join(", ")}`,
    });
  }
  return architecture;
}

/** The architecture that a Hugging Face `config.json` names. Throws TilthError for one that Tilth does not read. */
export function architectureOfHuggingFace(config: Readonly<Record<string, unknown>>): Architecture<unknown> {
  const declared = Array.isArray(config.architectures) ? String(config.architectures[0]) : String(config.model_type);
  const found = Object.values(architectures).find(
    (one) => one.huggingFaceClass === declared || one.name === config.model_type,
  );
  if (found === undefined) {
    throw new TilthError(`config.json: the architecture "${declared}" is not one that this version of Tilth reads`, {
      remedy: `It reads: ${Object.values(architectures)
        .map((one) => one.huggingFaceClass)
        .join(", ")}`,
    });
  }
  return found;
}

export { type LlamaConfiguration, llama, llamaConfiguration } from "./llama.ts";
export * from "./model.ts";
