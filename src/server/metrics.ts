/** Figures of the server in Prometheus' text format. */
import type { ModelClient } from "./model-client.ts";

const bounds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export class ServerMetrics {
  private readonly requests = new Map<string, number>();
  private readonly buckets = new Array<number>(bounds.length + 1).fill(0);
  private seconds = 0;

  /** Counts an answer. */
  answered(path: string, status: number, seconds: number): void {
    const key = `path="${path}",status="${status}"`;
    this.requests.set(key, (this.requests.get(key) ?? 0) + 1);
    if (!path.startsWith("/v1/")) return;
    const bucket = bounds.findIndex((bound) => seconds <= bound);
    this.buckets[bucket < 0 ? bounds.length : bucket] += 1;
    this.seconds += seconds;
  }

  page({ load, open }: Pick<ModelClient, "load" | "open">): string {
    const gauges = {
      ...{ active: load.active, waiting: load.waiting, open_requests: open },
      ...{ cache_used_tokens: load.cacheUsed, cache_tokens: load.cacheTokens },
    };
    const totals = {
      ...{ prompt_tokens: load.promptTokens, generated_tokens: load.tokens },
      ...{ reused_prompt_tokens: load.reusedTokens, preemptions: load.preemptions },
    };
    let below = 0;
    return [
      ...Object.entries(gauges).flatMap(([name, value]) => [
        `# TYPE tilth_serve_${name} gauge`,
        `tilth_serve_${name} ${value}`,
      ]),
      ...Object.entries(totals).flatMap(([name, value]) => [
        `# TYPE tilth_serve_${name}_total counter`,
        `tilth_serve_${name}_total ${value}`,
      ]),
      "# TYPE tilth_serve_requests_total counter",
      ...[...this.requests].map(([labels, value]) => `tilth_serve_requests_total{${labels}} ${value}`),
      "# TYPE tilth_serve_request_seconds histogram",
      ...bounds.map((bound, index) => {
        below += this.buckets[index];
        return `tilth_serve_request_seconds_bucket{le="${bound}"} ${below}`;
      }),
      `tilth_serve_request_seconds_bucket{le="+Inf"} ${below + this.buckets[bounds.length]}`,
      `tilth_serve_request_seconds_sum ${this.seconds}`,
      `tilth_serve_request_seconds_count ${below + this.buckets[bounds.length]}`,
      "",
    ].join("\n");
  }
}
