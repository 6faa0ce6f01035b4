/** Questions to who sits at the terminal. Without a terminal nothing is asked: what needs an answer is an error that names the option. */
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { InterruptedError, UsageError } from "../foundation/index.ts";
import type { CommandInput } from "./command.ts";

/** Whether there is somebody to ask. */
export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true && process.env.TERM !== "dumb";
}

/** Questions of one conversation: what was typed ahead answers the next one. */
export class Questions {
  private readonly terminal = createInterface({ input: process.stdin, output: process.stderr });
  private readonly lines: string[] = [];
  private ended = false;
  private wake = () => {};

  constructor() {
    this.terminal.on("line", (line) => {
      this.lines.push(line.trim());
      this.wake();
    });
    this.terminal.on("close", () => {
      this.ended = true;
      this.wake();
    });
  }

  /** The answer in words; `initial` where only Enter is pressed. Throws InterruptedError for Ctrl-C and Ctrl-D. */
  async ask(question: string, initial: string): Promise<string> {
    process.stderr.write(`${question} (${initial}) `);
    while (this.lines.length === 0) {
      if (this.ended) throw new InterruptedError("no answer was given");
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const answer = this.lines.shift()!;
    return answer === "" ? initial : answer;
  }

  /** One of the choices, by name or number; asked again until it is one. */
  async choose(question: string, choices: Readonly<Record<string, string>>, initial: string): Promise<string> {
    const names = Object.keys(choices);
    const list = names.map((name, index) => `  ${index + 1}  ${name}: ${choices[name]}`).join("\n");
    for (;;) {
      const answer = await this.ask(`${question}\n${list}\n`, initial);
      const chosen = names.find((name) => name === answer) ?? names[Number(answer) - 1];
      if (chosen !== undefined) return chosen;
    }
  }

  close(): void {
    this.terminal.close();
  }
}

/** One question to be answered with yes; anything else is no. */
async function agrees(question: string): Promise<boolean> {
  const questions = new Questions();
  try {
    return /^y(es)?$/i.test(await questions.ask(question, "no"));
  } finally {
    questions.close();
  }
}

/**
 * Returns where nothing is at `path`, where --replace or --yes was given, or where the user agrees. Throws UsageError otherwise.
 * @param what is there: "checkpoints of an earlier run"
 */
export async function requireReplaceable(
  input: CommandInput,
  path: string,
  what = "a file or folder",
  shown = path,
): Promise<void> {
  if (!existsSync(path) || input.flag("replace") || input.flag("yes")) return;
  if (isInteractive() && (await agrees(`${shown} holds ${what}. Replace it?`))) return;
  throw new UsageError(`${shown} holds ${what}: it is not replaced`, {
    remedy: "Choose another place, or add --replace (or --yes) to replace it.",
  });
}
