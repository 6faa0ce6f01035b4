/** `tilth scale`: one file a subcommand. */
import type { CommandGroup } from "../command.ts";

export const scale: CommandGroup = {
  summary: "scaling laws: train a ladder, fit a law to it, forecast larger models",
  commands: {
    run: {
      summary: "train a ladder of small models: sizes by tokens",
      load: async () => (await import("./run.ts")).run,
    },
    merge: {
      summary: "gather a ladder's results that ran as --element 1/n … n/n",
      load: async () => (await import("./merge.ts")).merge,
    },
    fit: {
      summary: "fit a law to a table of trained models",
      load: async () => (await import("./fit.ts")).fit,
    },
    forecast: {
      summary: "loss, best size and tokens that a law forecasts",
      load: async () => (await import("./forecast.ts")).forecast,
    },
  },
};
