/** A head on CLIP's vision tower, as transformers' `CLIPForImageClassification` has it: the mean of the patches' states. */
import { type Engine, meanRows } from "../../engine/index.ts";
import { TilthError } from "../../foundation/index.ts";
import type { ImageBatch, ImageTextModel } from "../../models/index.ts";
import { type ClassLogits, type HeadNames, headArena, layerNames, layerParameters } from "./head.ts";

export class ImageHead {
  readonly arena;
  readonly names: HeadNames;

  constructor(
    private readonly model: ImageTextModel,
    readonly classes: number,
    seed: number,
  ) {
    const states = model.imageStates;
    if (states === undefined) {
      throw new TilthError(`there is no classification head for a ${model.architecture.name}`, {
        remedy: "Heads for pictures go on: clip.",
      });
    }
    const width = model.architecture.dimensions(model.configuration).imageWidth;
    this.arena = headArena(model.arena.backend, layerParameters("classes", classes, width, { bias: true }), seed);
    this.names = {
      huggingFaceClass: "CLIPForImageClassification",
      weights: layerNames("classifier", "classes", classes, width, true),
      fields: {},
    };
  }

  /** Logits of pictures. */
  logits(engine: Engine, batch: ImageBatch): ClassLogits {
    const { imageTokens } = this.model.architecture.dimensions(this.model.configuration);
    const x = this.model.imageStates!(engine, batch);
    // Without the class token, which comes first.
    const from = Int32Array.from({ length: batch.images }, (_, image) => image * imageTokens + 1);
    const to = from.map((start) => start + imageTokens - 1);
    const hidden = engine.run(meanRows, { x }, { from: engine.constant(from), to: engine.constant(to) }).out;
    return { hidden, weight: this.arena.get("classes.weight"), bias: this.arena.get("classes.bias") };
  }

  dispose(): void {
    this.arena.dispose();
  }
}
