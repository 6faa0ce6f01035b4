#!/usr/bin/env node
/** The command line: finds the command, runs it, prints errors on stderr and leaves with their exit code. */
import { messageOf, nearest, packageVersion, TilthError, UsageError } from "../foundation/index.ts";
import { type Command, helpOf, readArguments } from "./command.ts";

interface Entry {
  readonly summary: string;
  load(): Promise<Command>;
}

/** One line a command; each is loaded only when it is used, so that help answers at once. */
const commands: Readonly<Record<string, Entry>> = {
  quickstart: {
    summary: "the whole road in a few minutes: corpus, tokenizer, training, evaluation, samples, checkpoint",
    load: async () => (await import("./quickstart.ts")).quickstart,
  },
  init: {
    summary: "write a commented tilth.config.ts",
    load: async () => (await import("./init.ts")).init,
  },
  data: {
    summary: "build: curate a corpus; report: what is in it; why: what decided about one document; sample",
    load: async () => (await import("./data.ts")).data,
  },
  tokenizer: {
    summary: "train a byte-level BPE, encode text with one, look into one",
    load: async () => (await import("./tokenizer.ts")).tokenizer,
  },
  train: {
    summary: "train a model as a configuration file says, or --resume a run",
    load: async () => (await import("./train.ts")).train,
  },
  eval: {
    summary: "bits per byte of a checkpoint on held-out documents",
    load: async () => (await import("./eval.ts")).evaluate,
  },
  generate: {
    summary: "stream text from a checkpoint",
    load: async () => (await import("./generate.ts")).generate,
  },
  doctor: {
    summary: "what this machine has: backend, instruction set, threads, measured rates",
    load: async () => (await import("./doctor.ts")).doctor,
  },
};

function overview(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`);
  return [
    `tilth ${packageVersion()}: pre-training in TypeScript`,
    "",
    "Usage: tilth <command> [options]",
    "",
    "Commands:",
    ...lines,
    "",
    "tilth <command> --help tells more. Begin with: tilth quickstart",
    "",
  ].join("\n");
}

async function main(args: string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(overview());
    return;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${packageVersion()}\n`);
    return;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) {
    const guess = nearest(name, Object.keys(commands));
    throw new UsageError(`there is no command "${name}"`, {
      remedy: guess === undefined ? "See: tilth --help" : `Did you mean "${guess}"?`,
    });
  }
  const command = await entry.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(helpOf(name, command));
    return;
  }
  await command.run(readArguments(command, rest));
}

// A reader that closes the pipe (head, less) has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`tilth: ${messageOf(error)}\n`);
  if (error instanceof TilthError) {
    if (error.remedy !== undefined) process.stderr.write(`  ${error.remedy}\n`);
  } else if (error instanceof Error) {
    process.stderr.write(`${error.stack}\n  This is a defect of Tilth; please report it with the lines above.\n`);
  }
  process.exitCode = error instanceof TilthError ? error.exitCode : 1;
}
