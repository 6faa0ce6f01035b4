/** The ways to a model: each with its figures, and with what it fails. One function a way. */
import { UsageError } from "../foundation/index.ts";
import type { Catalogue, Device } from "./catalogue.ts";
import { hostedFigures, lossWithTransfer, scratchModel, servingFigures, trainingFigures, worthOf } from "./figures.ts";
import type { Needs } from "./needs.ts";

/** From least to most work. */
export const wayNames = ["hosted", "retrieval", "fine-tune", "continue", "scratch"] as const;
export type WayName = (typeof wayNames)[number];

/** A way with a model. Costs in the catalogue's currency over all months; `loss` in nats a token of domain text. */
export interface Way {
  readonly name: WayName;
  readonly model: string;
  readonly parameters: number;
  readonly loss: number;
  readonly cost: { readonly people: number; readonly training: number; readonly use: number; readonly total: number };
  readonly weeks: number;
  readonly latencySeconds: number;
  readonly trainingFlops: number;
  /** Of training, or of serving where nothing is trained; null where others serve. */
  readonly memoryBytes: number | null;
  readonly devices: number;
  /** Requirements that it does not meet, with the figures; empty where it meets all. */
  readonly fails: readonly string[];
  readonly risks: readonly string[];
}

/** Tokens of examples that a fine-tuning uses at most. */
const fineTuningTokens = 2e7;

const isHosted = (way: Pick<Way, "devices">) => way.devices === 0;

/** All ways with all models of the catalogue that they can take. */
export function waysOf(needs: Needs, catalogue: Catalogue): Way[] {
  const device = deviceNamed(needs.device, catalogue);
  const open = catalogue.openModels.filter(({ commercialUse }) => commercialUse);
  return [
    ...catalogue.hostedModels.map((model) => throughOthers("hosted", model, needs, catalogue)),
    ...catalogue.hostedModels.map((model) => throughOthers("retrieval", model, needs, catalogue)),
    ...open.map((model) => onDevices("retrieval", model, 0, needs, catalogue, device)),
    ...open.map((model) =>
      onDevices("fine-tune", model, Math.min(fineTuningTokens, needs.domainTokens), needs, catalogue, device),
    ),
    ...open.map((model) => onDevices("continue", model, needs.domainTokens, needs, catalogue, device)),
    fromScratch(needs, catalogue, device),
  ].map((way) => ({ ...way, fails: [...way.fails, ...unmet(way, needs)] }));
}

/** Throws UsageError for a device that the catalogue lacks. */
export function deviceNamed(name: string, { devices }: Catalogue): Device {
  const device = devices.find((one) => one.name === name);
  if (device !== undefined) return device;
  throw new UsageError(`the catalogue has no device "${name}"`, {
    remedy: `It has: ${devices.map((one) => one.name).join(", ")}.`,
  });
}

function throughOthers(
  name: "hosted" | "retrieval",
  model: Catalogue["hostedModels"][number],
  needs: Needs,
  catalogue: Catalogue,
): Way {
  const { cost, latencySeconds } = hostedFigures(needs, model);
  const people = peopleCost(name, catalogue);
  return {
    ...{ name, model: model.name, parameters: model.assumedParameters, latencySeconds, trainingFlops: 0 },
    loss: lossWithTransfer(model.assumedParameters, needs.publicTokens),
    cost: { people, training: 0, use: cost, total: people + cost },
    weeks: workWeeks(name, catalogue),
    ...{ memoryBytes: null, devices: 0, fails: [] },
    risks: ["the owner changes or ends the model, its price or its terms", "what is asked is seen by others"],
  };
}

function onDevices(
  name: "retrieval" | "fine-tune" | "continue",
  model: Catalogue["openModels"][number],
  trainedTokens: number,
  needs: Needs,
  catalogue: Catalogue,
  device: Device,
): Way {
  const { parameters } = model;
  const worth = trainedTokens === 0 ? 0 : worthOf(trainedTokens);
  const risks = {
    retrieval: ["what is not found is not answered"],
    "fine-tune": ["overfitting to few examples", "narrower than before: check general loss before and after"],
    continue: [
      "forgets general ability: mix in general text",
      "rights in what the base was trained on are its owner's word",
    ],
  };
  return onOwnDevices(
    name,
    model.name,
    parameters,
    (trainedTokens === 0 ? 0 : 4) * trainedTokens,
    needs,
    catalogue,
    device,
    {
      loss: lossWithTransfer(parameters, needs.publicTokens + worth),
      risks: risks[name],
    },
  );
}

function fromScratch(needs: Needs, catalogue: Catalogue, device: Device): Way {
  const people = peopleCost("scratch", catalogue);
  // What people leave of the budget, half of it for use.
  const affordable = Math.max(0, (needs.budget - people) / 2);
  const perFlop = device.pricePerHour / 3600 / (device.peakFlops * device.utilisation);
  const flops = Math.max(1e15, affordable / perFlop);
  const best = scratchModel(needs.domainTokens, flops);
  return onOwnDevices(
    "scratch",
    `${(best.parameters / 1e6).toPrecision(2)}M parameters`,
    best.parameters,
    best.tokens,
    needs,
    catalogue,
    device,
    {
      loss: best.loss,
      risks: [
        "quality of the data decides everything",
        "instruction tuning comes on top",
        "failed runs cost as much as good ones",
      ],
    },
  );
}

function onOwnDevices(
  name: WayName,
  model: string,
  parameters: number,
  tokens: number,
  needs: Needs,
  catalogue: Catalogue,
  device: Device,
  more: { loss: number; risks: readonly string[] },
): Way {
  const people = peopleCost(name, catalogue);
  const work = workWeeks(name, catalogue);
  const serving = servingFigures(parameters, needs, device);
  // Training takes the weeks that work leaves, at least one.
  const training =
    tokens === 0 ? undefined : trainingFigures(parameters, tokens, Math.max(1, needs.weeks - work), device);
  const cost = { people, training: training?.cost ?? 0, use: serving.cost };
  return {
    ...{ name, model, parameters, ...more, fails: [], latencySeconds: serving.latencySeconds },
    cost: { ...cost, total: cost.people + cost.training + cost.use },
    weeks: work + (training?.weeks ?? 0),
    trainingFlops: training?.flops ?? 0,
    memoryBytes: training?.memoryBytes ?? serving.memoryBytes,
    devices: Math.max(serving.devices, training?.devices ?? 0),
  };
}

function peopleCost(name: WayName, { people }: Catalogue): number {
  return people.effortDays[name] * people.pricePerDay;
}

function workWeeks(name: WayName, { people }: Catalogue): number {
  return people.effortDays[name] / people.count / 5;
}

/** Requirements that a way does not meet. */
function unmet(way: Way, needs: Needs): string[] {
  const trains = way.trainingFlops > 0;
  const checks: [boolean, string][] = [
    [
      isHosted(way) && needs.rights === "confidential",
      "the text must not leave, and requests would carry it to others",
    ],
    [trains && needs.rights === "unclear", "rights to train on the text are unclear"],
    [isHosted(way) && needs.deployment === "own-devices", "it must run on own devices"],
    [isHosted(way) && needs.control !== "none", "the weights are not in one's own hands"],
    [way.name !== "scratch" && needs.control === "training-data", "what it was trained on is not in one's own hands"],
    [
      way.name !== "retrieval" && needs.task === "documents",
      "answers must stand in documents: a model alone recalls them unreliably",
    ],
    [way.cost.total > needs.budget, `costs ${rounded(way.cost.total)}, the budget is ${rounded(needs.budget)}`],
    [way.weeks > needs.weeks, `takes ${way.weeks.toFixed(1)} weeks, there are ${needs.weeks.toPrecision(3)}`],
    [
      way.latencySeconds > needs.latencySeconds,
      `answers after ${way.latencySeconds.toFixed(1)} s, ${needs.latencySeconds.toPrecision(3)} s are allowed`,
    ],
  ];
  return checks.filter(([failed]) => failed).map(([, reason]) => reason);
}

function rounded(amount: number): string {
  return Math.round(amount).toLocaleString("en-US");
}
