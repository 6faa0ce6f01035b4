/** What comes after pre-training: classification, text and chat, preferences; full or with adapters, with guards. */
import type { z } from "zod";
import { adaptationSettings, type PreferenceSettings } from "../adaptation/index.ts";
import { parseSettings } from "../foundation/index.ts";
import {
  type AdaptClassifyInput,
  type AdaptClassifyOutput,
  type AdaptCommonInput,
  type AdaptEvent,
  type AdaptPreferencesInput,
  type AdaptPreferencesOutput,
  type AdaptTextInput,
  type AdaptTextOutput,
  adaptClassifyJob,
  adaptPreferencesJob,
  adaptTextJob,
  classificationRates,
  runJob,
} from "../jobs/index.ts";
import { type StartOptions, startWork, type Work } from "./work.ts";

/** An input whose settings, and whatever else has a default, may be left out. */
type Asked<Input extends AdaptCommonInput, Defaulted extends keyof Input> = Omit<
  Input,
  Defaulted | "settings" | "device" | "merge"
> &
  Partial<Pick<Input, Defaulted | "device" | "merge">> & {
    /** Steps, rates, adapters, guards; those of `tilth adapt` where they are left out. */
    readonly settings?: z.input<typeof adaptationSettings>;
  };

const common = { device: { backend: "auto" }, merge: false };

function settingsOf(settings: z.input<typeof adaptationSettings> = {}) {
  const learningRate = settings.lora === undefined ? 5e-4 : 2e-3;
  return parseSettings(adaptationSettings, { learningRate, ...settings }, "the settings of the adaptation");
}

/** Fine-tunes with a head that names classes of texts, words or pictures: `tilth adapt classify`. */
export function adaptClassify(
  { settings = {}, ...input }: Asked<AdaptClassifyInput, "what" | "fields" | "validationShare" | "fromScratch">,
  options: StartOptions = {},
): Work<AdaptEvent, AdaptClassifyOutput> {
  const fromScratch = input.fromScratch ?? false;
  return startWork((hooks) => {
    const rates = settings.lora === undefined ? classificationRates(input.checkpoint, fromScratch) : {};
    const fields = { text: "text", label: "label" };
    return runJob(
      adaptClassifyJob,
      {
        ...{ ...common, what: "sequence", fields, validationShare: 0.2, ...input, fromScratch },
        settings: settingsOf({ ...rates, ...settings }),
      },
      hooks,
    );
  }, options);
}

/** Fine-tunes on text, on prompts with answers, or on conversations: `tilth adapt full`, `lora` and `sft`. */
export function adaptText(
  { settings, ...input }: Asked<AdaptTextInput, "sequenceLength" | "validationShare">,
  options: StartOptions = {},
): Work<AdaptEvent, AdaptTextOutput> {
  return startWork(
    (hooks) =>
      runJob(
        adaptTextJob,
        { ...common, sequenceLength: 256, validationShare: 0.1, ...input, settings: settingsOf(settings) },
        hooks,
      ),
    options,
  );
}

/** Aligns with pairs of answers, one preferred: `tilth adapt dpo`. */
export function adaptPreferences(
  {
    settings,
    preference,
    ...input
  }: Omit<Asked<AdaptPreferencesInput, "sequenceLength" | "validationShare" | "chat">, "preference"> & {
    readonly preference?: Partial<PreferenceSettings>;
  },
  options: StartOptions = {},
): Work<AdaptEvent, AdaptPreferencesOutput> {
  return startWork(
    (hooks) =>
      runJob(
        adaptPreferencesJob,
        {
          ...{ ...common, sequenceLength: 256, validationShare: 0.1, chat: { answerTokens: 48 }, ...input },
          settings: settingsOf(settings),
          preference: { loss: "sigmoid", beta: 0.1, ...preference },
        },
        hooks,
      ),
    options,
  );
}
