/** A folder of texts, with everything below it. */
import { basename, resolve } from "node:path";
import { z } from "zod";
import { settingsObject } from "../../foundation/schema.ts";
import { findLicence, normaliseExpression } from "../licences/index.ts";
import type { Reader } from "./define.ts";
import { documentsOf } from "./documents.ts";
import { licenceFilesIn, requireFolder, walkFiles } from "./walk.ts";

const shape = {
  reader: z.literal("folder"),
  path: z.string().min(1).describe("a folder; relative to the configuration's folder"),
  name: z
    .string()
    .regex(/^[\w@.+-]+$/, { error: "a source name has letters, digits and @ . + - _ only" })
    .optional()
    .describe("name of the source in reports; the folder's own name if left out"),
  licence: z
    .string()
    .refine((text) => text === "NOASSERTION" || normaliseExpression(text) !== "NOASSERTION", {
      error: (issue) => `"${issue.input}" is no SPDX licence expression; see https://spdx.org/licenses/`,
    })
    .optional()
    .describe("SPDX expression for all of it; if left out, a LICENSE file in the folder is read"),
};

export const folderSource = settingsObject("folder source", shape);

export type FolderSource = z.infer<typeof folderSource>;

/** Reads a folder recursively; hidden folders and node_modules are passed over. */
export const folderReader: Reader<FolderSource> = {
  *list(source, context) {
    const folder = resolve(context.baseFolder, source.path);
    requireFolder(folder, "the folder");
    const licence =
      source.licence === undefined
        ? findLicence(undefined, licenceFilesIn(folder, context.skipped))
        : { expression: normaliseExpression(source.licence), evidence: "set for this source", confidence: 1 };
    const enter = (name: string) => !name.startsWith(".") && name !== "node_modules";
    const files = walkFiles(folder, enter, context.skipped);
    yield* documentsOf(files, `folder:${source.name ?? basename(folder)}`, licence, context);
  },
};
