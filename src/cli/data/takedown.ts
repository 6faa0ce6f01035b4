import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { UsageError } from "../../foundation/index.ts";
import { takeDown } from "../../jobs/index.ts";
import type { Command } from "../command.ts";
import { say } from "../terminal.ts";

/** `tilth data takedown` */
export const takedown: Command = {
  summary: "remove documents from store and shards, list what saw them, show that nothing is left",
  usage: "<run or corpus folder> --id <id>|--url <url>|--licence <expression>|--query <condition> … --reason <text>",
  options: {
    id: { describe: "first digits of a document's id (repeatable)", placeholder: "id", multiple: true },
    url: {
      describe: "an address; with * at its end all that begin so (repeatable)",
      placeholder: "url",
      multiple: true,
    },
    licence: { describe: "a licence as the store has it (repeatable)", placeholder: "expression", multiple: true },
    query: { describe: "a condition in SQL over the view documents (repeatable)", placeholder: "sql", multiple: true },
    reason: { describe: "why; it stays with the tombstone", placeholder: "text" },
    quotes: { describe: "also take down kept documents that hold 50 tokens or more of these" },
    json: { describe: "print JSON" },
  },
  examples: [
    'tilth data takedown runs/first --url "https://example.org/*" --reason "request of the publisher"',
    'tilth data takedown corpus --query "source = \'npm:left-pad@1.3.0\'" --reason "licence withdrawn"',
  ],
  async run(input) {
    const [subject] = input.positionals;
    if (subject === undefined) throw new UsageError("take down where? Give the folder of a run or of a corpus.");
    const reason = input.text("reason");
    if (reason === undefined) throw new UsageError("--reason is needed: it stays with the tombstone");
    const folder = resolve(subject);
    const isRun = existsSync(join(folder, "corpus", "corpus.json"));
    const result = await takeDown(isRun ? { store: join(folder, "corpus"), runFolder: folder } : { store: folder }, {
      ids: input.list("id"),
      urls: input.list("url"),
      licences: input.list("licence"),
      queries: input.list("query"),
      reason,
      quotes: input.flag("quotes"),
    });
    const { documents, quotedBy, steps, checkpoints, proof } = result;
    if (input.flag("json")) process.stdout.write(`${JSON.stringify(result)}\n`);
    else {
      process.stdout.write(
        [
          `Taken down    ${documents.length} documents:`,
          ...documents.map(({ id, source, path, because }) => `  ${id} ${source} ${path} (${because})`),
          ...(quotedBy.length === 0
            ? []
            : [
                `Quoted by     ${quotedBy.length} kept documents, which stay (--quotes takes them down too):`,
                ...quotedBy.map(({ id, source, path }) => `  ${id} ${source} ${path}`),
              ]),
          `Seen by       ${steps.length} training steps${steps.length === 0 ? "" : `, the first is ${steps[0]}: ${steps.slice(0, 20).join(", ")}${steps.length > 20 ? ", …" : ""}`}`,
          `Retrain       ${checkpoints.length === 0 ? "no checkpoint saw them" : checkpoints.join(", ")}`,
          `Proof         ${proof.spans} spans of 50 tokens: ${proof.leftInStore} left in the store, ${proof.leftInShards} in the shards`,
          "",
        ].join("\n"),
      );
    }
    if (proof.leftInStore + proof.leftInShards > 0) say("Something is left: the quoting documents above, or a defect.");
  },
};
