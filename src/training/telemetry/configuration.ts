import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";

/** What a run tells other programs beside its log. */
export const telemetryConfiguration = settingsObject("telemetry", {
  tensorboard: z.boolean().default(false).describe("write event files to tensorboard/ in the run's folder"),
  prometheusPort: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe("serve /metrics for Prometheus on this port of the loopback address; 0 chooses one"),
});

export type TelemetryConfiguration = z.infer<typeof telemetryConfiguration>;
