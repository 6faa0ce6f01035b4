import { describe, expect, it } from "vitest";
import { clip, fromOpenClip, modelPreset, siglip, vit } from "../../src/models/index.ts";

describe("the presets of images and texts", () => {
  it.each([
    ["clip-vit-b-32", 49_408, 151_277_313],
    ["clip-vit-b-16", 49_408, 149_620_737],
    ["siglip-b-16", 32_000, 203_155_970],
  ])("have the papers' numbers of parameters: %s", (name, vocabularySize, expected) => {
    const { architecture, configuration } = modelPreset(name);
    const model = architecture === "clip" ? clip : siglip;
    const parsed = model.schema.parse({ ...configuration, vocabularySize, endOfText: vocabularySize - 1 }) as never;
    expect(model.dimensions(parsed).parameters).toBe(expected);
    expect(model.fromHuggingFace(model.toHuggingFace(parsed))).toMatchObject(parsed);
  });
});

describe("configurations of other libraries", () => {
  const tower = { hidden_size: 32, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2 };

  it("are refused with the key that does not fit", () => {
    const config = {
      projection_dim: 16,
      text_config: tower,
      vision_config: { ...tower, image_size: 32, patch_size: 8 },
    };
    expect(clip.fromHuggingFace(config).endOfText).toBe(49_407);
    const text = (more: object) => ({ ...config, text_config: { ...tower, ...more } });
    expect(() => clip.fromHuggingFace(text({ hidden_act: "relu" }))).toThrow("text_config.hidden_act");
    expect(() => clip.fromHuggingFace(text({ hidden_act: "gelu" }))).toThrow("vision_config.hidden_act is quick_gelu");
    expect(() => siglip.fromHuggingFace(text({ hidden_size: 64 }))).toThrow("hidden_size is 64");
    expect(() => siglip.fromHuggingFace(text({ projection_size: 8 }))).toThrow("projection_size is 8");
    expect(() => vit.fromHuggingFace({ ...tower, qkv_bias: false })).toThrow("qkv_bias");
    const vision = { image_size: 224, layers: 1, width: 64, patch_size: 32, timm_model_name: "resnet50" };
    const theirs = { embed_dim: 8, vision_cfg: vision, text_cfg: { width: 64, heads: 1, layers: 1 } };
    expect(() => fromOpenClip(theirs)).toThrow(/vision_cfg.*timm_model_name/);
  });

  it("say the last token where early CLIPs said 2", () => {
    const config = clip.fromHuggingFace({
      text_config: { ...tower, eos_token_id: 2 },
      vision_config: { ...tower, image_size: 32, patch_size: 8 },
    });
    expect(config.endOfText).toBe(49_407);
  });
});
