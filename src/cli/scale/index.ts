/** `tilth scale`: one file a subcommand. */
import type { CommandGroup } from "../command.ts";

export const scale: CommandGroup = {
  summary: "scaling laws: fit one to trained models, forecast larger ones",
  commands: {
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
