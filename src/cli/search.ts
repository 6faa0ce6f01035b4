/** `tilth search`: the documents or pictures that come nearest to a query. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { UsageError } from "../foundation/index.ts";
import { runJob, searchJob } from "../jobs/index.ts";
import type { Command } from "./command.ts";
import { formatCount, interruptSignal, say } from "./terminal.ts";

export const search: Command = {
  summary: "documents or pictures nearest to a query, in a file that tilth embed --out wrote",
  usage: '<vectors.parquet> ("<text>" | --image <file>) [options]',
  options: {
    image: { describe: "a picture as the query, for a model with two towers", placeholder: "file" },
    model: { describe: "the checkpoint that made the vectors, if it was moved", placeholder: "folder" },
    top: { describe: "how many", placeholder: "count", initial: "10" },
    where: {
      describe: "SQL condition over id, text, source, path, licence, e.g. \"licence = 'MIT'\"",
      placeholder: "condition",
    },
    backend: { describe: "reference, cpu or auto", placeholder: "name", initial: "auto" },
    json: { describe: "print one JSON object" },
  },
  examples: [
    'tilth search vectors.parquet "how is a file read line by line"',
    'tilth search vectors.parquet "licence texts" --where "source LIKE \'npm:%\'" --top 3 --json',
    'tilth search photos.parquet "a red shirt"',
  ],
  async run(input) {
    const [vectors, text] = input.positionals;
    const image = input.text("image");
    if (vectors === undefined || (text === undefined) === (image === undefined)) {
      throw new UsageError("a file of vectors and one query are needed: a text or --image", {
        remedy: "See: tilth search --help",
      });
    }
    if (image !== undefined && !existsSync(image)) throw new UsageError(`there is no picture at ${image}`);
    const [model, where] = [input.text("model"), input.text("where")];
    const found = await runJob(
      searchJob,
      {
        vectors: resolve(vectors),
        query: image === undefined ? { text } : { image: resolve(image) },
        top: input.number("top", { minimum: 1, maximum: 100_000, whole: true })!,
        ...(model === undefined ? {} : { model: resolve(model) }),
        ...(where === undefined ? {} : { where }),
        device: { backend: input.text("backend") ?? "auto" },
      },
      { signal: interruptSignal("stopping") },
    );
    if (input.flag("json")) {
      process.stdout.write(`${JSON.stringify(found)}\n`);
      return;
    }
    say(`${formatCount(found.rows)} ${found.description.of} of ${found.description.checkpoint}`);
    for (const hit of found.hits) process.stdout.write(`${hitLines(hit).join("\n")}\n`);
  },
};

/** A hit for people: how near, where from, under which licence, how it begins. */
export function hitLines(hit: Awaited<ReturnType<typeof searchJob.run>>["hits"][number]): string[] {
  const excerpt = hit.text.replace(/\s+/g, " ").slice(0, 150);
  return [
    `${hit.score.toFixed(3)}  ${hit.source} ${hit.path}${hit.licence === null ? "" : `  [${hit.licence}]`}  ${hit.id.slice(0, 12)}`,
    ...(excerpt === "" ? [] : [`       ${excerpt}`]),
  ];
}
