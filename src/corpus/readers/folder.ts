/** A folder of texts, with everything below it. */
import { resolve } from "node:path";
import { z } from "zod";
import { settingsObject } from "../../foundation/index.ts";
import { findLicence } from "../licences/index.ts";
import { defineReader } from "./define.ts";
import { documentsOf } from "./documents.ts";
import { commonShape, declaredLicence, sourceName } from "./source.ts";
import { licenceFilesIn, requireFolder, walkFiles } from "./walk.ts";

const schema = settingsObject("folder source", {
  reader: z.literal("folder"),
  path: z.string().min(1).describe("a folder; relative to the configuration's folder"),
  ...commonShape,
});

/** Reads a folder recursively; hidden folders and node_modules are passed over. */
export const folderReader = defineReader({
  schema,
  title: "a folder of text",
  describe: "text, Markdown, reStructuredText, HTML pages and code below a folder",
  *list(source, context) {
    const folder = resolve(context.baseFolder, source.path);
    requireFolder(folder, "the folder");
    const licence =
      source.licence === undefined
        ? findLicence(undefined, licenceFilesIn(folder, context.skipped))
        : declaredLicence(source.licence);
    const enter = (name: string) => !name.startsWith(".") && name !== "node_modules";
    const files = walkFiles(folder, enter, context.skipped);
    yield* documentsOf(files, sourceName("folder", source, folder), licence, {
      ...context,
      readsPages: true,
    });
  },
});
