/** `tilth completion`: what a shell needs to complete commands, options, and files after them. */
import { UsageError } from "../foundation/index.ts";
import type { Command, CommandEntry, CommandGroup } from "./command.ts";
import { program } from "./program.ts";

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

export const completion: Command = {
  summary: "a script that completes commands and options in bash, zsh or fish",
  usage: `${shells.join("|")}`,
  options: {},
  examples: [
    'eval "$(tilth completion bash)"        # in ~/.bashrc; zsh likewise in ~/.zshrc',
    "tilth completion fish > ~/.config/fish/completions/tilth.fish",
  ],
  async run(input) {
    const shell = shells.find((one) => one === input.positionals[0]);
    if (shell === undefined) throw new UsageError(`which shell? Expected ${shells.join(", ")}`);
    process.stdout.write(completionScript(shell, await wordsOf("", program)));
  },
};

/** What may follow the words of a command: subcommands, then options; `takesValue` are options with a value behind them. */
interface Words {
  readonly command: string;
  readonly next: readonly { readonly word: string; readonly describe: string }[];
  readonly takesValue: readonly string[];
}

/** Every command below a group, each with what follows it. */
async function wordsOf(name: string, found: Command | CommandGroup): Promise<Words[]> {
  const help = { word: "--help", describe: "show this help" };
  if (!("commands" in found)) {
    const options = Object.entries(found.options);
    return [
      {
        command: name,
        next: [...options.map(([option, { describe }]) => ({ word: `--${option}`, describe })), help],
        takesValue: options.flatMap(([option, { placeholder }]) => (placeholder === undefined ? [] : [`--${option}`])),
      },
    ];
  }
  const below: Words[] = [];
  const entries: [string, CommandEntry][] = Object.entries(found.commands);
  for (const [word, entry] of entries) below.push(...(await wordsOf(`${name} ${word}`.trim(), await entry.load())));
  const [plain] = found.otherwise === undefined ? [] : await wordsOf(name, await found.otherwise.load());
  const commands = entries.map(([word, { summary }]) => ({ word, describe: summary }));
  return [
    { command: name, next: [...commands, ...(plain?.next ?? [help])], takesValue: plain?.takesValue ?? [] },
    ...below,
  ];
}

function completionScript(shell: Shell, all: readonly Words[]): string {
  return shell === "fish" ? fishScript(all) : bashScript(shell, all);
}

/** bash, and zsh through its emulation of bash's completion. */
function bashScript(shell: Shell, all: readonly Words[]): string {
  const cases = all.map(
    ({ command, next }) => `    "${command}") words="${next.map(({ word }) => word).join(" ")}" ;;`,
  );
  const known = all.map(({ command }) => `"${command}"`).join("|");
  const valued = [...new Set(all.flatMap(({ takesValue }) => takesValue))].sort().join("|");
  return `${shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : ""}_tilth() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case "\${command:+$command }$word" in
    ${known}) command="\${command:+$command }$word" ;;
    *) break ;;
    esac
  done
  case "$before" in
  ${valued}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$command" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ "\${#COMPREPLY[@]}" -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _tilth tilth
`;
}

function fishScript(all: readonly Words[]): string {
  const quoted = (text: string) => `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`;
  const known = all.map(({ command }) => quoted(command)).join(" ");
  const lines = all.flatMap(({ command, next, takesValue }) =>
    next.map(({ word, describe }) => {
      const condition = `-n ${quoted(`test (_tilth_command) = "${command}"`)}`;
      if (!word.startsWith("--")) return `complete -c tilth -f ${condition} -a ${word} -d ${quoted(describe)}`;
      const value = takesValue.includes(word) ? " -r" : "";
      return `complete -c tilth ${condition} -l ${word.slice(2)}${value} -d ${quoted(describe)}`;
    }),
  );
  return `function _tilth_command
  set -l known ${known}
  set -l command ""
  for word in (commandline -opc)[2..-1]
    set -l longer (string trim "$command $word")
    contains -- $longer $known; or break
    set command $longer
  end
  echo $command
end
${lines.join("\n")}
`;
}
