/** What a command is, and how its options are read: one table gives parsing, validation and help. */
import { parseArgs } from "node:util";
import { messageOf, nearest, UsageError } from "../foundation/index.ts";

/** One option. `placeholder` is absent for switches. */
export interface OptionDefinition {
  readonly describe: string;
  readonly placeholder?: string;
  readonly initial?: string;
  readonly multiple?: boolean;
}

/** A command of the CLI. */
export interface Command {
  readonly summary: string;
  readonly usage: string;
  readonly options: Readonly<Record<string, OptionDefinition>>;
  readonly examples: readonly string[];
  run(input: CommandInput): Promise<void>;
}

/** A command as lists show it; its code is loaded only when it is used, so that help answers at once. */
export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command | CommandGroup>;
}

/** A command of commands, such as `tilth data`: the first word after its name chooses. */
export interface CommandGroup {
  readonly summary: string;
  readonly commands: Readonly<Record<string, CommandEntry>>;
  /** What runs where the first word names none of them. */
  readonly otherwise?: CommandEntry;
}

/** What the user typed after the command's name. */
export class CommandInput {
  constructor(
    readonly positionals: readonly string[],
    private readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>,
  ) {}

  flag(name: string): boolean {
    return this.values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** One of the choices, or undefined where the option was not given. */
  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    const text = this.text(name);
    const chosen = choices.find((one) => one === text);
    if (text !== undefined && chosen === undefined) {
      throw new UsageError(`--${name} is "${text}", expected ${choices.join(", ")}`);
    }
    return chosen;
  }

  list(name: string): string[] {
    const value = this.values[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  /** A number within bounds, or undefined where the option was not given. */
  number(name: string, bounds: { minimum?: number; maximum?: number; whole?: boolean } = {}): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY, whole = false } = bounds;
    const value = Number(text);
    if (
      text.trim() === "" ||
      Number.isNaN(value) ||
      value < minimum ||
      value > maximum ||
      (whole && !Number.isInteger(value))
    ) {
      const kind = whole ? "a whole number" : "a number";
      throw new UsageError(`--${name} is "${text}", expected ${kind} from ${minimum} to ${maximum}`);
    }
    return value;
  }
}

const common: Readonly<Record<string, OptionDefinition>> = {
  plugin: {
    describe: "a file that registers filters, objectives or tasks of your own (repeatable)",
    placeholder: "file",
    multiple: true,
  },
  yes: { describe: "ask nothing: replace what is there, take what is proposed" },
  quiet: { describe: "say nothing but errors and results" },
  verbose: { describe: "tell more: progress every second, and of an error where it arose and what caused it" },
  help: { describe: "show this help" },
};

/** Reads the arguments of a command. Throws UsageError with a suggestion for an unknown option. */
export function readArguments(command: Command, args: readonly string[]): CommandInput {
  const definitions = { ...common, ...command.options };
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(definitions).map(([name, one]) => [
          name,
          {
            type: one.placeholder === undefined ? ("boolean" as const) : ("string" as const),
            multiple: one.multiple ?? false,
            ...(one.initial === undefined ? {} : { default: one.initial }),
          },
        ]),
      ),
    });
    return new CommandInput(positionals, values);
  } catch (error) {
    const unknown = /Unknown option '--?([^']*)'/.exec(messageOf(error))?.[1];
    const guess = unknown === undefined ? undefined : nearest(unknown, Object.keys(definitions));
    throw new UsageError(unknown === undefined ? messageOf(error) : `there is no option --${unknown}`, {
      remedy: guess === undefined ? "See --help." : `Did you mean --${guess}?`,
    });
  }
}

/** The help of one command. */
export function helpOf(name: string, command: Command): string {
  const options = Object.entries({ ...command.options, ...common }).map(([option, one]) => {
    const left = `--${option}${one.placeholder === undefined ? "" : ` <${one.placeholder}>`}`;
    return `  ${left.padEnd(28)} ${one.describe}${one.initial === undefined ? "" : ` (default ${one.initial})`}`;
  });
  const examples = command.examples.map((example) => `  ${example}`);
  return [
    `tilth ${name}: ${command.summary}`,
    "",
    `Usage: tilth ${name} ${command.usage}`.trimEnd(),
    "",
    "Options:",
    ...options,
    "",
    "Examples:",
    ...examples,
    "",
  ].join("\n");
}

/** The help of a group, or of the whole program where `name` is empty: one line a command. */
export function helpOfGroup(name: string, { summary, commands }: CommandGroup): string {
  const full = name === "" ? "tilth" : `tilth ${name}`;
  const width = Math.max(12, ...Object.keys(commands).map(({ length }) => length + 1));
  return [
    `${full}: ${summary}`,
    "",
    `Usage: ${full} <command> [options]`,
    "",
    "Commands:",
    ...Object.entries(commands).map(([command, entry]) => `  ${command.padEnd(width)} ${entry.summary}`),
    "",
    `${full} <command> --help tells more.${name === "" ? " Begin with: tilth quickstart" : ""}`,
    "",
  ].join("\n");
}

/** The keys of a table, as choices. */
export function keysOf<Table extends object>(table: Table): (keyof Table & string)[] {
  return Object.keys(table) as (keyof Table & string)[];
}
