/** A page in Prometheus' text format with the last figures of a run. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf, TilthError } from "../../foundation/index.ts";
import type { RunRecord } from "../log.ts";
import { scalarsOf } from "./scalars.ts";

/** The page, being served. */
export interface MetricsServer {
  readonly port: number;
  /** Takes the figures of a record. */
  update(record: RunRecord): void;
  close(): Promise<void>;
}

/** Figures that only grow. */
const counters = {
  tilth_tokens_total: "Tokens trained on by this process",
  tilth_guard_events_total: "Steps that a guard noticed",
};

/** Serves `/metrics` on the loopback address. Throws TilthError where the port is taken. @param port 0 chooses one */
export async function serveMetrics(port: number, labels: Readonly<Record<string, string>>): Promise<MetricsServer> {
  const gauges = new Map<string, number>();
  const totals = new Map<string, number>(Object.keys(counters).map((name) => [name, 0]));
  const label = Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (one) => (one === "\n" ? "\\n" : `\\${one}`))}"`)
    .join(",");
  const page = () =>
    [
      ...[...totals].flatMap(([name, value]) => [
        `# HELP ${name} ${counters[name as keyof typeof counters]}`,
        `# TYPE ${name} counter`,
        `${name}{${label}} ${value}`,
      ]),
      ...[...gauges].flatMap(([name, value]) => [`# TYPE ${name} gauge`, `${name}{${label}} ${value}`]),
      "",
    ].join("\n");
  const server = createServer((request, response) => {
    const isPage = request.url === "/metrics";
    response.writeHead(isPage ? 200 : 404, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    response.end(isPage ? page() : "The figures are at /metrics\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", (cause) =>
      reject(
        new TilthError(`the metrics page cannot be served on port ${port}: ${messageOf(cause)}`, {
          remedy: "Choose a free port with: --set telemetry.prometheusPort=<port>",
          cause,
        }),
      ),
    );
    server.listen(port, "127.0.0.1", resolve);
  });
  // A page that nobody asks for keeps no process alive.
  server.unref();
  const add = (name: string, value: number) => totals.set(name, totals.get(name)! + value);
  return {
    port: (server.address() as AddressInfo).port,
    update(record) {
      gauges.set("tilth_step", record.step);
      gauges.set("tilth_last_record_timestamp_seconds", Date.now() / 1000);
      if (record.kind === "step") add("tilth_tokens_total", record.tokens);
      if (record.kind === "guard") add("tilth_guard_events_total", 1);
      if (record.kind === "checkpoint") gauges.set("tilth_checkpoint_step", record.step);
      for (const [name, value] of Object.entries(scalarsOf(record))) {
        gauges.set(`tilth_${name.replace(/[^a-zA-Z0-9]+/g, "_")}`, value);
      }
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
