/** What is measured beside the losses, whatever is learned: general text and behaviour, before and at every validation. */
import { type BehaviourFigures, behaviourFigures, behaviourTrade } from "../behaviour/index.ts";
import type { AdaptationFigures } from "../guards/index.ts";
import type { Trade } from "../report.ts";

/** Measures that depend on the kind of model and on what there is to measure with. */
export interface Watched {
  readonly generalLoss?: () => Promise<number>;
  /** Of the model that is adapted. */
  readonly behaviour?: () => Promise<BehaviourFigures>;
}

/** Begins to watch a model that nothing has happened to yet. */
export async function watch({ generalLoss, behaviour }: Watched) {
  const generalLossBefore = await generalLoss?.();
  const before = await behaviour?.();
  return {
    async figures(): Promise<AdaptationFigures> {
      return {
        ...(generalLoss && { generalLossBefore, generalLoss: await generalLoss() }),
        ...(before && behaviour && behaviourFigures(before, await behaviour())),
      };
    },
    /** Of the weights that the model has in the end. */
    async trade(): Promise<Trade[]> {
      return [
        ...generalTrade(generalLossBefore, await generalLoss?.()),
        ...(before && behaviour ? behaviourTrade(before, await behaviour()) : []),
      ];
    },
  };
}

/** The loss on general text, where it was measured. */
function generalTrade(before: number | undefined, after: number | undefined): Trade[] {
  if (before === undefined || after === undefined) return [];
  return [{ name: "general loss", unit: "nats a token", before, after, better: "near before" }];
}

type Losses = { readonly trainLoss: number; readonly validationLoss: number };

/** Validation loss and the gap to the training loss, before and after. */
export function lossTrade(first: Losses, best: Losses): Trade[] {
  const gap = ({ trainLoss, validationLoss }: Losses) => validationLoss - trainLoss;
  return [
    {
      name: "validation loss",
      unit: "nats",
      before: first.validationLoss,
      after: best.validationLoss,
      better: "lower",
    },
    { name: "train/validation gap", unit: "nats", before: gap(first), after: gap(best), better: "lower" },
  ];
}
