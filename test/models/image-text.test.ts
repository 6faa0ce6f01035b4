import { describe, expect, it } from "vitest";
import { createBackend, Engine } from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";
import { clip, fromOpenClip, modelPreset, siglip, vit } from "../../src/models/index.ts";
import { imageTextConfigurations } from "../support/families.ts";

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

describe("an image of which some patches are shown", () => {
  it.each([clip, siglip])("depends on those alone: $name", async (architecture) => {
    const backend = await createBackend("reference");
    const engine = new Engine(backend);
    const configuration = architecture.schema.parse(imageTextConfigurations[architecture.name as "clip"]);
    const model = architecture.create(engine, configuration as never);
    model.arena.initialize(3);
    const { imageSize, imagePatches } = architecture.dimensions(configuration as never);
    const random = new Random(5);
    const noise = () => Float32Array.from({ length: 2 * 3 * imageSize ** 2 }, () => random.normal());
    const embed = (data: Float32Array, patches?: Int32Array) =>
      engine.scope({ record: false }, () => {
        const pixels = engine.constant(data, [2, 3, imageSize, imageSize]);
        return backend.read(model.embedImages(engine, { images: 2, pixels, patches }).tensor);
      });
    const image = noise();
    const all = Int32Array.from({ length: 2 * imagePatches }, (_, i) => i % imagePatches);
    expect(await embed(image, all)).toEqual(await embed(image));

    // The first image shows its first patch and its last, the second its second and third.
    const shown = Int32Array.of(0, imagePatches - 1, 1, 2);
    const side = Math.sqrt(imagePatches);
    const patchSize = imageSize / side;
    const other = noise().map((value, i) => {
      const [x, y] = [i % imageSize, Math.floor(i / imageSize) % imageSize];
      const patch = Math.floor(y / patchSize) * side + Math.floor(x / patchSize);
      const first = i < 3 * imageSize ** 2 ? 0 : 2;
      return shown.subarray(first, first + 2).includes(patch) ? image[i] : value;
    });
    expect(await embed(other, shown)).toEqual(await embed(image, shown));
    expect(await embed(other)).not.toEqual(await embed(image));
    model.dispose();
    backend.dispose();
  });
});
