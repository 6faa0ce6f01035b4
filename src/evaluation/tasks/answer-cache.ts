/** Answers kept on disk, so that the same checkpoint is not asked the same questions twice. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, hashOf, writeFileAtomically } from "../../foundation/index.ts";
import type { Respondent } from "./respondent.ts";

/** Changes when the same request would be answered otherwise. */
const version = 1;

export interface AnswerCacheOptions {
  readonly folder: string;
  /** Whatever decides the answers beside the questions: the checkpoint's content, the device, settings. */
  readonly identity: unknown;
  /** Told of a file that is damaged; its answers are computed and written again. */
  readonly onDamage?: (file: string) => void;
}

/** The respondent, asked only what the folder does not hold yet: one file a list of requests, named by the hash of all that decides it. */
export function withAnswerCache(
  respondent: Respondent,
  { folder, identity, onDamage }: AnswerCacheOptions,
): Respondent {
  const kept = async <Answer>(requests: unknown, count: number, answer: () => Promise<Answer[]>): Promise<Answer[]> => {
    const file = join(folder, `${hashOf(canonicalJson([version, identity, requests]))}.json`);
    if (existsSync(file)) {
      const answers = readAnswers(readFileSync(file, "utf8"));
      if (answers?.length === count) return answers as Answer[];
      onDamage?.(file);
    }
    const answers = await answer();
    const text = JSON.stringify(answers);
    writeFileAtomically(file, `{"checksum":"${hashOf(text)}","answers":${text}}\n`);
    return answers;
  };
  return {
    likelihoods: (choices, options) =>
      kept(["likelihoods", choices, options], choices.length, () => respondent.likelihoods(choices, options)),
    completions: (contexts, options) =>
      kept(["completions", contexts, options], contexts.length, () => respondent.completions(contexts, options)),
  };
}

/** Undefined where the file is not what was written. */
function readAnswers(text: string): unknown[] | undefined {
  try {
    const { checksum, answers } = JSON.parse(text) as { readonly checksum?: unknown; readonly answers?: unknown };
    return Array.isArray(answers) && checksum === hashOf(JSON.stringify(answers)) ? answers : undefined;
  } catch {
    return undefined;
  }
}
