/** `preprocessor_config.json`: how a Hugging Face folder says what its images must look like. */
import { z } from "zod";
import { TilthError } from "../foundation/index.ts";
import { type ImageSettings, imageSettings } from "./transform.ts";

/** The settings as transformers' CLIPImageProcessor and SiglipImageProcessor read them; 3 is Pillow's bicubic. */
export function toPreprocessorConfig(settings: ImageSettings): Record<string, unknown> {
  const square = { height: settings.size, width: settings.size };
  const crop = settings.resize === "crop";
  return {
    image_processor_type: crop ? "CLIPImageProcessor" : "SiglipImageProcessor",
    do_convert_rgb: true,
    do_resize: true,
    size: crop ? { shortest_edge: settings.size } : square,
    resample: 3,
    do_center_crop: crop,
    ...(crop ? { crop_size: square } : {}),
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: settings.mean,
    image_std: settings.standardDeviation,
    ...(settings.background === undefined ? {} : { background: settings.background }),
  };
}

const side = z.number().int().positive();
const schema = z.looseObject({
  size: z.union([side, z.looseObject({ shortest_edge: side }), z.looseObject({ height: side, width: side })]),
  crop_size: z.union([side, z.looseObject({ height: side, width: side })]).optional(),
  do_center_crop: z.boolean().optional(),
  resample: z.literal(3).default(3),
  image_mean: z.tuple([z.number(), z.number(), z.number()]),
  image_std: z.tuple([z.number(), z.number(), z.number()]),
  background: z.string().optional(),
});

/** The settings in a `preprocessor_config.json`. Throws TilthError naming the key that Tilth cannot follow. */
export function fromPreprocessorConfig(config: unknown, file: string): ImageSettings {
  const parsed = schema.safeParse(config);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TilthError(`${file}: "${issue.path.join(".")}": ${issue.message}`);
  }
  const { size, crop_size: crop, do_center_crop: crops, image_mean, image_std, background } = parsed.data;
  const sideOf = (one: typeof size | NonNullable<typeof crop>) =>
    typeof one === "number" ? one : "shortest_edge" in one ? one.shortest_edge : (one as { height: number }).height;
  const resize = (crops ?? crop !== undefined) ? "crop" : "squash";
  if (crop !== undefined && sideOf(crop) !== sideOf(size)) {
    throw new TilthError(
      `${file}: crop_size ${sideOf(crop)} is not size ${sideOf(size)}; Tilth reads those that agree`,
    );
  }
  return imageSettings.parse({
    size: sideOf(size),
    resize,
    mean: image_mean,
    standardDeviation: image_std,
    background,
  });
}
