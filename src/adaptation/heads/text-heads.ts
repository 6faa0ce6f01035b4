/**
 * Heads on models of text, as transformers' `…ForSequenceClassification` and `…ForTokenClassification` have them, so that it
 * loads what is saved: each family's own pooling and layers before the classes.
 */
import { activation, type Engine, gatherRows, linearWithBias, meanRows, type Variable } from "../../engine/index.ts";
import { TilthError } from "../../foundation/index.ts";
import type { LanguageModel, TokenBatch } from "../../models/index.ts";
import { type ClassLogits, type HeadNames, headArena, layerNames, layerParameters } from "./head.ts";

export const textTasks = ["sequence", "token"] as const;
/** One class a text, or one a token. */
export type TextTask = (typeof textTasks)[number];

/** What tells families apart. */
interface HeadForm {
  /** Transformers' class without `ForSequenceClassification`. */
  readonly stem: string;
  /** Which states stand for a text. */
  readonly pooling: "last" | "first" | "mean";
  /** The layer before the classes of a text, with its name in the file; `model`: the model's own prediction head. */
  readonly before?: { readonly theirs: string; readonly parameter: "pooler" } | "model";
  readonly classifier: Readonly<Record<TextTask, { readonly theirs: string; readonly bias: boolean }>>;
  readonly fields?: Readonly<Record<string, unknown>>;
}

const decoder = (stem: string): HeadForm => ({
  stem,
  pooling: "last",
  classifier: { sequence: { theirs: "score", bias: false }, token: { theirs: "score", bias: true } },
});
const classifier = { theirs: "classifier", bias: true };

const forms: Readonly<Record<string, HeadForm>> = {
  gpt2: { ...decoder("GPT2"), classifier: { sequence: { theirs: "score", bias: false }, token: classifier } },
  llama: decoder("Llama"),
  mistral: decoder("Mistral"),
  qwen2: decoder("Qwen2"),
  qwen3: decoder("Qwen3"),
  bert: {
    stem: "Bert",
    pooling: "first",
    before: { theirs: "bert.pooler.dense", parameter: "pooler" },
    classifier: { sequence: classifier, token: classifier },
  },
  roberta: {
    stem: "Roberta",
    pooling: "first",
    before: { theirs: "classifier.dense", parameter: "pooler" },
    classifier: { sequence: { theirs: "classifier.out_proj", bias: true }, token: classifier },
  },
  modernbert: {
    stem: "ModernBert",
    pooling: "mean",
    before: "model",
    classifier: { sequence: classifier, token: classifier },
    fields: {
      classifier_pooling: "mean",
      classifier_bias: false,
      classifier_activation: "gelu",
      classifier_dropout: 0,
    },
  },
};

/** A head on a model of text. */
export class TextHead {
  readonly arena;
  readonly names: HeadNames;
  private readonly form: HeadForm;

  /** @param seed of the head's first weights */
  constructor(
    private readonly model: LanguageModel,
    readonly task: TextTask,
    readonly classes: number,
    seed: number,
  ) {
    const { name } = model.architecture;
    const form = forms[name];
    if (form === undefined) {
      throw new TilthError(`there is no classification head for a ${name}`, {
        remedy: `Heads go on: ${Object.keys(forms).join(", ")}, clip.`,
      });
    }
    this.form = form;
    const { width } = model.architecture.dimensions(model.configuration);
    const { theirs, bias } = form.classifier[task];
    const hasPooler = task === "sequence" && typeof form.before === "object";
    const ownPooler = hasPooler && !model.arena.parameters.has("pooler.weight");
    this.arena = headArena(
      model.arena.backend,
      [
        ...(ownPooler ? layerParameters("pooler", width, width, { bias: true }) : []),
        ...layerParameters("classes", classes, width, { bias }),
      ],
      seed,
    );
    const poolerName = typeof form.before === "object" ? form.before.theirs : "";
    this.names = {
      huggingFaceClass: `${form.stem}For${task === "sequence" ? "Sequence" : "Token"}Classification`,
      weights: [
        ...(ownPooler ? layerNames(poolerName, "pooler", width, width, true) : []),
        ...layerNames(theirs, "classes", classes, width, bias),
      ],
      fields: form.fields ?? {},
    };
  }

  /**
   * Logits of texts, or of the tokens in `rows` (rows of the batch).
   * @param lengths tokens of every text without padding
   */
  logits(engine: Engine, batch: TokenBatch, lengths: readonly number[], rows?: Int32Array): ClassLogits {
    const states = this.statesOf(engine, batch, lengths, rows);
    const weight = this.arena.get("classes.weight");
    const bias = this.arena.parameters.get("classes.bias");
    return { hidden: states, weight, ...(bias && { bias }) };
  }

  private statesOf(engine: Engine, batch: TokenBatch, lengths: readonly number[], rows?: Int32Array): Variable {
    const { model, form, task } = this;
    if (form.before === "model") {
      // ModernBERT's head layers come after pooling for texts, and on every token for tokens.
      if (task === "token") return model.forward(engine, { ...batch, rows }).hidden;
      return model.transform!(engine, this.pooled(engine, model.encode(engine, batch), batch, lengths));
    }
    const encoded = model.encode(engine, batch);
    if (task === "token") return engine.run(gatherRows, { x: encoded }, { rows: engine.constant(rows!) }).out;
    const pooled = this.pooled(engine, encoded, batch, lengths);
    if (form.before === undefined) return pooled;
    const from = this.arena.parameters.has("pooler.weight") ? this.arena : model.arena;
    const layer = { weight: from.get("pooler.weight"), bias: from.get("pooler.bias") };
    const dense = engine.run(linearWithBias, { x: pooled, ...layer }, {}).out;
    return engine.run(activation, { x: dense }, { kind: "tanh" }).out;
  }

  private pooled(engine: Engine, x: Variable, { length }: TokenBatch, lengths: readonly number[]): Variable {
    const starts = Int32Array.from(lengths, (_, row) => row * length);
    const ends = starts.map((start, row) => start + lengths[row]);
    const { pooling } = this.form;
    if (pooling === "mean") {
      return engine.run(meanRows, { x }, { from: engine.constant(starts), to: engine.constant(ends) }).out;
    }
    const chosen = pooling === "first" ? starts : ends.map((end) => end - 1);
    return engine.run(gatherRows, { x }, { rows: engine.constant(chosen) }).out;
  }

  dispose(): void {
    this.arena.dispose();
  }
}
