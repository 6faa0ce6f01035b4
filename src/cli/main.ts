#!/usr/bin/env node
/** The command line: finds the command, runs it, prints errors on stderr and leaves with their exit code. */
import { loadPlugins, messageOf, nearest, packageVersion, TilthError, UsageError } from "../foundation/index.ts";
import { type Command, type CommandGroup, helpOf, helpOfGroup, readArguments } from "./command.ts";
import { program } from "./program.ts";
import { setVerbosity } from "./terminal.ts";

async function main(args: readonly string[]): Promise<void> {
  if (args[0] === "--version" || args[0] === "-v") {
    process.stdout.write(`${packageVersion()}\n`);
    return;
  }
  await run("", program, args[0] === "help" ? args.slice(1) : args);
}

/** Walks from group to command by the words typed, then runs it or shows its help. */
async function run(name: string, found: Command | CommandGroup, args: readonly string[]): Promise<void> {
  const wantsHelp = (word: string | undefined) => word === "--help" || word === "-h";
  if (!("commands" in found)) {
    if (args.some(wantsHelp)) process.stdout.write(helpOf(name, found));
    else await runCommand(found, args);
    return;
  }
  const [word, ...rest] = args;
  if (found.otherwise !== undefined && word !== undefined && !wantsHelp(word) && !Object.hasOwn(found.commands, word)) {
    await run(name, await found.otherwise.load(), args);
    return;
  }
  if (word === undefined || wantsHelp(word)) {
    const plain = await found.otherwise?.load();
    if (plain !== undefined && !("commands" in plain)) process.stdout.write(`${helpOf(name, plain)}\n`);
    process.stdout.write(helpOfGroup(name, found));
    return;
  }
  const full = `${name} ${word}`.trim();
  if (!Object.hasOwn(found.commands, word)) {
    const guess = nearest(word, Object.keys(found.commands));
    throw new UsageError(`there is no command "${full}"`, {
      remedy: guess === undefined ? `See: ${`tilth ${name}`.trim()} --help` : `Did you mean "${guess}"?`,
    });
  }
  await run(full, await found.commands[word].load(), rest);
}

/** Where an error arose, and what caused it. */
function originOf(error: Error): string {
  const { stack = "", cause } = error;
  const own = `${stack.split("\n").slice(1).join("\n")}\n`;
  return cause instanceof Error ? `${own}caused by ${cause.message}\n${originOf(cause)}` : own;
}

async function runCommand(command: Command, args: readonly string[]): Promise<void> {
  const input = readArguments(command, args);
  if (input.flag("quiet") && input.flag("verbose")) throw new UsageError("--quiet and --verbose say opposite things");
  if (input.flag("quiet")) setVerbosity("quiet");
  if (input.flag("verbose")) setVerbosity("verbose");
  await loadPlugins(input.list("plugin"));
  await command.run(input);
}

// A reader that closes the pipe (head, less) has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`tilth: ${messageOf(error)}\n`);
  if (error instanceof TilthError) {
    if (error.remedy !== undefined) process.stderr.write(`  ${error.remedy}\n`);
    if (process.argv.includes("--verbose")) process.stderr.write(originOf(error));
  } else if (error instanceof Error) {
    process.stderr.write(`${error.stack}\n  This is a defect of Tilth; please report it with the lines above.\n`);
  }
  process.exitCode = error instanceof TilthError ? error.exitCode : 1;
}
