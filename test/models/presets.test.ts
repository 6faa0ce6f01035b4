import { describe, expect, it } from "vitest";
import { architectureNamed, imageTextArchitectureNamed, modelPreset, modelPresets } from "../../src/models/index.ts";

describe("model presets", () => {
  it.each([
    ["gpt2-124m", 50_257, 124_439_808],
    ["gpt2-355m", 50_257, 354_823_168],
    ["gpt2-774m", 50_257, 774_030_080],
    ["gpt2-1.5b", 50_257, 1_557_611_200],
    // As transformers counts BertForMaskedLM and RobertaForMaskedLM.
    ["bert-base", 30_522, 109_514_298],
    ["bert-large", 30_522, 335_174_458],
    ["roberta-base", 50_265, 124_697_433],
  ])("have the papers' numbers of parameters: %s", (name, vocabularySize, expected) => {
    const { architecture: kind, configuration } = modelPreset(name);
    const architecture = architectureNamed(kind);
    const parsed = architecture.schema.parse({ ...configuration, vocabularySize });
    expect(architecture.dimensions(parsed).parameters).toBe(expected);
  });

  it("are all valid, and an unknown name is told the nearest", () => {
    for (const { architecture: kind, configuration } of Object.values(modelPresets)) {
      const pairs = imageTextArchitectureNamed(kind);
      const sizes = { ...configuration, vocabularySize: 2048 };
      if (pairs === undefined) architectureNamed(kind).schema.parse(sizes);
      else pairs.schema.parse({ ...sizes, endOfText: 0 });
    }
    expect(() => modelPreset("clip-vit-b-23")).toThrow('did you mean "clip-vit-b-32"');
  });
});
