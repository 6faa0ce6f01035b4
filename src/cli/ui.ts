/** `tilth ui`: the dashboard. */
import { existsSync } from "node:fs";
import { startDashboard } from "../dashboard/index.ts";
import { UsageError } from "../foundation/index.ts";
import type { Command } from "./command.ts";
import { say } from "./terminal.ts";

export const ui: Command = {
  summary: "a local page of curves, samples, data reports, lineage and plans, live while runs train",
  usage: "[folders of runs] [options]",
  options: {
    host: {
      describe: "address to serve on; others than the loopback need the token that is printed",
      placeholder: "address",
      initial: "127.0.0.1",
    },
    port: { describe: "0 chooses a free one", placeholder: "port", initial: "6006" },
  },
  examples: ["tilth ui", "tilth ui runs/quickstart runs/other", "tilth ui --host 0.0.0.0 --port 8000"],
  async run(input) {
    const folders = input.positionals.length > 0 ? input.positionals : [existsSync("runs") ? "runs" : "."];
    for (const folder of folders) if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`);
    const dashboard = await startDashboard({
      folders,
      host: input.text("host")!,
      port: input.number("port", { minimum: 0, maximum: 65_535, whole: true })!,
    });
    say(`The dashboard of ${folders.join(", ")}: ${dashboard.url}`);
    say("  Ctrl-C ends it; runs go on.");
    await new Promise<void>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, resolve);
    });
    await dashboard.close();
  },
};
