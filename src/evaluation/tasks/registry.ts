/** The tasks' layouts: those of lm-evaluation-harness's common sets, and a plain one for a user's own file. One line each. */
import { nearest, UsageError } from "../../foundation/index.ts";
import { arc } from "./arc.ts";
import { blimp } from "./blimp.ts";
import { boolq } from "./boolq.ts";
import { generation } from "./generation.ts";
import { gsm8k } from "./gsm8k.ts";
import { hellaswag } from "./hellaswag.ts";
import type { TaskDefinition } from "./item.ts";
import { lambada } from "./lambada.ts";
import { multipleChoice } from "./multiple-choice.ts";
import { openbookqa } from "./openbookqa.ts";
import { piqa } from "./piqa.ts";
import { triviaqa } from "./triviaqa.ts";
import { winogrande } from "./winogrande.ts";

const all = [
  blimp,
  arc,
  hellaswag,
  piqa,
  boolq,
  openbookqa,
  winogrande,
  lambada,
  triviaqa,
  gsm8k,
  multipleChoice,
  generation,
];

const known = new Map<string, TaskDefinition>(all.map((task) => [task.name, task as unknown as TaskDefinition]));

export const tasks: ReadonlyMap<string, TaskDefinition> = known;

/** Adds a layout of the user's. Called by a plugin when it is loaded. Throws UsageError where a task has that name already. */
export function registerTask<Row>(task: TaskDefinition<Row>): void {
  if (known.has(task.name)) {
    throw new UsageError(`there is a task "${task.name}" already`, { remedy: "Give the plugin's another name." });
  }
  known.set(task.name, task as TaskDefinition);
}

/** The task of that name. Throws UsageError for an unknown one. */
export function taskNamed(name: string): TaskDefinition {
  const task = tasks.get(name);
  if (task !== undefined) return task;
  const guess = nearest(name, [...tasks.keys()]);
  throw new UsageError(`there is no task "${name}"; there are ${[...tasks.keys()].join(", ")}`, {
    remedy: guess === undefined ? "A file of your own fits multiple-choice or generation." : `Did you mean "${guess}"?`,
  });
}
