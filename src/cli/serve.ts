/** `tilth serve`: a checkpoint over HTTP, as OpenAI's API has it. */
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { UsageError } from "../foundation/index.ts";
import { ModelClient, type RunningServer, startServer } from "../server/index.ts";
import type { Command, CommandInput } from "./command.ts";
import { say } from "./terminal.ts";

export const serve: Command = {
  summary: "answer over HTTP as OpenAI's API does: completions, chat, embeddings",
  usage: "<checkpoint folder> [options]",
  options: {
    name: { describe: "the model's name for clients (default the folder's)", placeholder: "name" },
    host: {
      describe: "address to serve on; others than the loopback need a key",
      placeholder: "address",
      initial: "127.0.0.1",
    },
    port: { describe: "0 chooses a free one", placeholder: "port", initial: "8080" },
    "api-key-file": { describe: "a file with a key a line; else TILTH_API_KEY", placeholder: "file" },
    slots: { describe: "requests that are answered at a time", placeholder: "count", initial: "8" },
    "slot-tokens": {
      describe: "tokens of a prompt and its answer (default the model's context)",
      placeholder: "count",
    },
    "cache-tokens": {
      describe: "tokens of all requests that are held at a time (default slots times slot-tokens)",
      placeholder: "count",
    },
    queue: {
      describe: "requests that may wait for a slot; more are told to come later",
      placeholder: "count",
      initial: "64",
    },
    "maximum-body-bytes": { describe: "longest request", placeholder: "bytes", initial: "1000000" },
    "maximum-connections": { describe: "open connections", placeholder: "count", initial: "2048" },
    "request-seconds": { describe: "an answer that takes longer is ended", placeholder: "seconds", initial: "300" },
    "read-seconds": {
      describe: "a request that arrives more slowly is dropped",
      placeholder: "seconds",
      initial: "15",
    },
    "drain-seconds": {
      describe: "how long running answers are waited for at the end",
      placeholder: "seconds",
      initial: "30",
    },
    weights: { describe: "f32, bf16 or stored (as the checkpoint has them)", placeholder: "type", initial: "stored" },
    precision: {
      describe:
        "of products: f32, bf16, or auto: bf16 where the checkpoint's weights are and the processor multiplies in it",
      placeholder: "name",
      initial: "auto",
    },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    threads: { describe: "threads of the cpu backend", placeholder: "count" },
  },
  examples: [
    "tilth serve runs/quickstart/checkpoints/step-0000650",
    "TILTH_API_KEY=secret tilth serve assistant --host 0.0.0.0 --port 8000 --slots 16",
  ],
  async run(input) {
    const [checkpoint] = input.positionals;
    if (checkpoint === undefined) {
      throw new UsageError("which checkpoint? Give its folder.", { remedy: "See: tilth serve --help" });
    }
    const whole = (name: string, minimum = 1) => input.number(name, { minimum, maximum: 1e9, whole: true });
    const slotTokens = whole("slot-tokens", 2);
    const cacheTokens = whole("cache-tokens", 64);
    const threads = whole("threads");
    const apiKeys = keysOf(input);
    const client = await ModelClient.open(
      {
        checkpoint: resolve(checkpoint),
        device: {
          backend: input.text("backend") ?? "auto",
          precision: input.choice("precision", ["auto", "f32", "bf16"]),
          ...(threads === undefined ? {} : { threads }),
        },
        weights: input.choice("weights", ["f32", "bf16", "stored"]) ?? "stored",
        slots: whole("slots")!,
        ...(slotTokens === undefined ? {} : { slotTokens }),
        ...(cacheTokens === undefined ? {} : { cacheTokens }),
      },
      { waiting: whole("queue", 0)!, onWarning: (message) => say(`tilth: ${message}`) },
    );
    let server: RunningServer;
    try {
      server = await startServer(client, {
        ...{ name: input.text("name") ?? basename(resolve(checkpoint)), host: input.text("host")!, apiKeys },
        port: input.number("port", { minimum: 0, maximum: 65_535, whole: true })!,
        maximumBodyBytes: whole("maximum-body-bytes")!,
        maximumConnections: whole("maximum-connections")!,
        requestSeconds: whole("request-seconds")!,
        readSeconds: whole("read-seconds")!,
        drainSeconds: whole("drain-seconds", 0)!,
      });
    } catch (error) {
      await client.close();
      throw error;
    }
    const { writes, hasChatTemplate, capacity, backend } = client.model;
    say(`Serving ${resolve(checkpoint)} at ${server.url}/v1 (${backend})`);
    say(
      `  ${writes ? `completions up to ${capacity} tokens, ` : ""}${hasChatTemplate ? "chat, " : ""}embeddings; ${apiKeys.length === 0 ? "no key needed" : `${apiKeys.length} keys`}`,
    );
    if (writes && !hasChatTemplate) say("  no chat: a base model continues text (it has no chat template)");
    await untilAsked(server, client);
    await client.close();
    say("Ended.");
  },
};

function keysOf(input: CommandInput): string[] {
  const file = input.text("api-key-file");
  const lines = file === undefined ? [process.env.TILTH_API_KEY ?? ""] : readFileSync(file, "utf8").split("\n");
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

/** Until Ctrl-C or SIGTERM, which waits for running answers; a second one does not. Rejects where the model breaks. */
function untilAsked(server: RunningServer, client: ModelClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      say("Ending: running answers are finished, no new ones are taken (once more to end at once)");
      server.close().then(resolve, reject);
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
    client.ended.catch((error) => {
      server.close().finally(() => reject(error));
    });
  });
}
