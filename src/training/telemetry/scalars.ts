/** The figures of a record under the names that dashboards show. */
import type { RunRecord } from "../log.ts";

/** Name and value of every figure of a record that is drawn over the steps. */
export function scalarsOf(record: RunRecord): Readonly<Record<string, number>> {
  const named: Record<string, number | null | undefined> =
    record.kind === "step"
      ? {
          "train/loss": record.loss,
          "train/learning_rate": record.learningRate,
          "train/gradient_norm": record.gradientNorm,
          "train/update_ratio": record.updateRatio,
          "throughput/tokens_per_second": record.tokensPerSecond,
          "throughput/pairs_per_second": record.pairsPerSecond,
          "throughput/mfu": record.mfu,
          "throughput/host_share": record.hostShare,
          "throughput/data_share": record.dataShare,
          "memory/resident_bytes": record.memoryBytes,
        }
      : record.kind === "validation"
        ? {
            "validation/loss": record.loss,
            "validation/averaged_loss": record.averagedLoss,
            ...Object.fromEntries(
              Object.entries(record.metrics ?? {}).map(([name, value]) => [`validation/${name}`, value]),
            ),
          }
        : record.kind === "checkpoint"
          ? { "checkpoint/pause_seconds": record.pauseSeconds, "checkpoint/write_seconds": record.writeSeconds }
          : {};
  return Object.fromEntries(Object.entries(named).filter((one): one is [string, number] => typeof one[1] === "number"));
}
