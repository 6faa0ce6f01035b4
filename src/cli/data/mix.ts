import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { findConfiguration, loadRunConfiguration } from "../../config/index.ts";
import { type MixturePlan, mixtureSettings, openDocumentStore, renderMixture } from "../../corpus/index.ts";
import { messageOf, parseSettings, UsageError } from "../../foundation/index.ts";
import {
  buildRunCorpus,
  planMixtureJob,
  requireNoCheckpoints,
  runJob,
  type TokenizeInput,
  tokenizeInput,
  tokenizeJob,
} from "../../jobs/index.ts";
import { tokenizerSettings } from "../../tokenizer/index.ts";
import type { Command, CommandInput } from "../command.ts";
import { interruptSignal, progressLine, say } from "../terminal.ts";

/** `tilth data mix` */
export const mix: Command = {
  summary: "mix training tokens by weights, shares, temperature and epoch caps; --plan shows it first",
  usage:
    "[configuration file] [--plan]  |  --corpus <folder> --tokenizer <file> [--mixture <file>] (--plan | --out <folder>)",
  options: {
    plan: { describe: "show tokens, shares, epochs and binding caps; write no shard" },
    set: {
      describe: "override a value of the configuration: mixture.temperature=2 (repeatable)",
      placeholder: "name=value",
      multiple: true,
    },
    corpus: { describe: "without a configuration: folder of the document store", placeholder: "folder" },
    tokenizer: { describe: "without a configuration: the tokenizer.json that counts", placeholder: "file" },
    mixture: {
      describe: "without a configuration: the mixture's settings, YAML or JSON; every text once if left out",
      placeholder: "file",
    },
    out: { describe: "without a configuration: where the shards go", placeholder: "folder" },
    replace: { describe: "also where the run has checkpoints, which then cannot be resumed on these shards" },
    json: { describe: "print the plan as JSON" },
  },
  examples: [
    "tilth data mix --plan --set mixture.temperature=2",
    "tilth data mix --corpus corpus --tokenizer tokenizer.json --mixture mixture.yaml --plan",
    "tilth data mix --corpus corpus --tokenizer tokenizer.json --mixture mixture.yaml --out shards",
  ],
  async run(input) {
    const progress = progressLine();
    const hooks = { onEvent: progress.update, signal: interruptSignal("stopping") };
    const standing = input.text("corpus") !== undefined;
    const work = standing ? await fromStore(input) : await fromConfiguration(input, hooks);
    const plan = await runJob(planMixtureJob, work, hooks);
    progress.end();
    show(plan, input.flag("json"));
    if (input.flag("plan")) return;
    const shards = await runJob(tokenizeJob, work, hooks);
    progress.end();
    say(`Wrote ${shards.tokens} training and ${shards.validationTokens} validation tokens to ${work.folder}`);
  },
};

async function fromConfiguration(
  input: CommandInput,
  hooks: Parameters<typeof buildRunCorpus>[1],
): Promise<TokenizeInput> {
  const [file = findConfiguration(process.cwd())] = input.positionals;
  const configuration = await loadRunConfiguration(file, input.list("set"));
  if (!input.flag("plan")) requireNoCheckpoints(configuration.runFolder, input.flag("replace"));
  return tokenizeInput(configuration, await buildRunCorpus(configuration, hooks));
}

async function fromStore(input: CommandInput): Promise<TokenizeInput> {
  const [tokenizer, out] = [input.text("tokenizer"), input.text("out")];
  if (tokenizer === undefined) {
    throw new UsageError("--tokenizer is needed: its tokens are what is mixed", {
      remedy: "Train one with: tilth tokenizer train --corpus <folder>",
    });
  }
  if (out === undefined && !input.flag("plan")) throw new UsageError("--plan or --out <folder> is needed");
  if (out !== undefined && existsSync(out) && !existsSync(join(out, "shards.json"))) {
    throw new UsageError(`${out} is there and holds no shards`, {
      remedy: "Give --out a folder that is not there yet.",
    });
  }
  const folder = resolve(input.text("corpus")!);
  const store = await openDocumentStore(folder);
  store.close();
  return {
    store: folder,
    storeKey: store.manifest.key,
    folder: resolve(out ?? join(folder, "..", "shards")),
    training: tokenizerSettings.parse({}),
    specialTokens: [],
    tokenizer: resolve(tokenizer),
    mixture: parseSettings(mixtureSettings, settingsFrom(input.text("mixture")), "the settings of the mixture"),
  };
}

function settingsFrom(file: string | undefined): unknown {
  if (file === undefined) return {};
  if (!existsSync(file)) throw new UsageError(`${file}: there is no such file`);
  try {
    // JSON is YAML too.
    return parseYaml(readFileSync(file, "utf8")) ?? {};
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function show(plan: MixturePlan, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(plan)}\n` : renderMixture(plan));
}
