/** What a run tells other programs while it goes on: TensorBoard and Prometheus. */
import { join } from "node:path";
import type { RunRecord } from "../log.ts";
import type { TelemetryConfiguration } from "./configuration.ts";
import { serveMetrics } from "./prometheus.ts";
import { scalarsOf } from "./scalars.ts";
import { TensorBoardWriter } from "./tensorboard.ts";

export { scalarsOf } from "./scalars.ts";

/** Takes records and passes them on. */
export interface Telemetry {
  update(record: RunRecord): void;
  close(): Promise<void>;
}

/** Opens what the configuration asks for. `tell` hears where it is found. */
export async function openTelemetry(
  { tensorboard, prometheusPort }: TelemetryConfiguration,
  runFolder: string,
  tell: (message: string) => void,
): Promise<Telemetry> {
  const metrics = prometheusPort === undefined ? undefined : await serveMetrics(prometheusPort, { run: runFolder });
  if (metrics !== undefined) tell(`metrics for Prometheus: http://127.0.0.1:${metrics.port}/metrics`);
  const board = tensorboard ? new TensorBoardWriter(join(runFolder, "tensorboard")) : undefined;
  if (board !== undefined) tell(`for TensorBoard: tensorboard --logdir ${join(runFolder, "tensorboard")}`);
  return {
    update(record) {
      metrics?.update(record);
      board?.add(record.step, scalarsOf(record));
    },
    async close() {
      board?.close();
      await metrics?.close();
    },
  };
}

export { type TelemetryConfiguration, telemetryConfiguration } from "./configuration.ts";
export { serveMetrics } from "./prometheus.ts";
export { TensorBoardWriter } from "./tensorboard.ts";
